package toolfaults

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// process is a process with a mark.
type process struct {
	pid, parent int
	name        string // The first word of its command line: a keeper's says that it is one.
	role        string
}

// nameKeeper begins the command lines of keepers.
const nameKeeper = "signalbox-keeper"

// kind is what a process is for: the role of a child or descendant, or the name of what stands before it.
func (p process) kind() string {
	if strings.HasPrefix(p.name, "signalbox-") {
		return p.name
	}
	return p.role
}

// marked finds the processes with the mark in their environment that have not ended.
func marked(mark string) (found []process) {
	dirs, _ := filepath.Glob("/proc/[0-9]*") // The pattern is good.
	for _, dir := range dirs {
		env, err := os.ReadFile(filepath.Join(dir, "environ"))
		if err != nil || !bytes.Contains(env, []byte(markVariable+"="+mark+"\x00")) {
			continue
		}
		stat, err := os.ReadFile(filepath.Join(dir, "stat"))
		end := bytes.LastIndexByte(stat, ')')
		if err != nil || end < 0 {
			continue
		}
		fields := strings.Fields(string(stat[end+1:]))
		if fields[0] == "Z" || fields[0] == "X" {
			continue
		}
		p := process{role: valueOf(env, roleVariable)}
		p.pid, _ = strconv.Atoi(filepath.Base(dir)) // The pattern.
		p.parent, _ = strconv.Atoi(fields[1])
		command, _ := os.ReadFile(filepath.Join(dir, "cmdline")) // It may have ended just now.
		p.name, _, _ = strings.Cut(string(command), "\x00")
		found = append(found, p)
	}
	return found
}

// valueOf gives the last value of a variable.
func valueOf(env []byte, name string) (value string) {
	for _, v := range strings.Split(string(env), "\x00") {
		if text, ok := strings.CutPrefix(v, name+"="); ok {
			value = text
		}
	}
	return value
}
