"""gexbench.models.training"""
