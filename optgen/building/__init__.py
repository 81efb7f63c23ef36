"""One build: what is asked for, each rule with its checks, the table, and the output folder."""
