"""gexbench.leaderboards"""
