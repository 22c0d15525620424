"""What is measured; each file is a program that prints a table. Figures are ratios of one run."""
