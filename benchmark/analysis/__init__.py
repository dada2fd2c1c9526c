"""What runs say together: statistics, tables, the study, the questions, rescoring."""
