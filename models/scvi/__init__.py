"""gexbench.models.scvi"""
