"""gexbench.models.wgan_gp"""
