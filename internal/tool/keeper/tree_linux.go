package keeper

import (
	"bytes"
	"os"
	"strconv"
)

// descendants gives the processes below this one that have not ended.
func descendants() []int {
	children := map[int][]int{}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil // Without /proc only what the kernel does by itself remains.
	}
	ended := map[int]bool{}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if parent, over, ok := parentOf(pid); ok {
			children[parent] = append(children[parent], pid)
			ended[pid] = over
		}
	}
	var found []int
	for todo := children[os.Getpid()]; len(todo) > 0; todo = todo[1:] {
		if !ended[todo[0]] {
			found = append(found, todo[0])
		}
		todo = append(todo, children[todo[0]]...)
	}
	return found
}

// parentOf reads who a process belongs to, and whether it has ended and only waits to be reaped.
func parentOf(pid int) (parent int, over, ok bool) {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0, false, false
	}
	name := bytes.LastIndexByte(stat, ')') // The name before it may have anything in it.
	fields := bytes.Fields(stat[name+1:])
	if name < 0 || len(fields) < 2 {
		return 0, false, false
	}
	parent, err = strconv.Atoi(string(fields[1]))
	return parent, fields[0][0] == 'Z' || fields[0][0] == 'X', err == nil
}
