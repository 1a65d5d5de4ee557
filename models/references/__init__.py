"""gexbench.models.references"""
