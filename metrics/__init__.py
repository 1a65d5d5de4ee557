"""gexbench.metrics"""
