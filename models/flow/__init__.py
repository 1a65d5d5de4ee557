"""gexbench.models.flow"""
