"""TCGA cohorts from public files: GDC and UCSC Xena expression and clinical tables, slide features, downloads."""
