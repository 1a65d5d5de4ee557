"""gexbench.models.diffusion"""
