"""The ground a run stands on: the file system, the process, the build.

atomic_file     replace a file at once
run_lock        one daemon a run
sd_notify       tell systemd that the daemon is ready and alive
temporary       whether there is a folder of temporary files
array_headers   one thread at a time reads arrays
disk_room       room for arrays in files without a name
heap            gives back memory that is free inside the process
memory          how much of it the process holds
build           what a run's numbers were made by: code, packages, CPU
"""
