"""gexbench.models.vae"""
