"""`gexbench cohort …`: one module per verb."""
