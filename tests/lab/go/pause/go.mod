module hearth.local/lab/pause

go 1.24
