module seatrial.dev/cluster/pause

go 1.24.0
