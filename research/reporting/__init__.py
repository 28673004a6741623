"""How results are shown: plots, tables, notebooks, HTML."""
