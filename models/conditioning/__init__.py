"""gexbench.models.conditioning"""
