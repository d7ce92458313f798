package main

import (
	"strconv"
	"strings"
	"time"

	"github.com/signalbox/signalbox/internal/platform/server/api"
)

type auditStatusCmd struct {
	remote
	format
}

// Run shows how the log is kept.
func (k *auditStatusCmd) Run(c *console) error {
	var status api.AuditStatus
	if err := k.get(c.ctx, "/audit/status", nil, &status); err != nil {
		return err
	}
	return k.print(c, status, []string{"PART", "NAME", "SIZE", "TIME", "DETAIL"}, statusRows(status))
}

func statusRows(status api.AuditStatus) [][]string {
	tree := status.Tree
	rows := [][]string{
		{"log", tree.Origin, strconv.FormatInt(tree.Size, 10), "-", "-"},
		{"checkpoint", tree.Origin, text(tree.CheckpointSize), when(tree.CheckpointTime), "root " + text(tree.Root)},
	}
	for _, key := range tree.Keys {
		detail := "previous"
		if key.Active {
			detail = "active"
		}
		rows = append(rows, []string{"key", key.Name + "+" + key.ID, "-", "-", detail})
	}
	for _, a := range status.Anchors {
		rows = append(rows, []string{a.Kind, a.Target, text(a.Size), when(a.Time), text(a.Error)})
	}
	for _, r := range status.Retention {
		detail := "kept for ever"
		if r.ContentDays > 0 {
			detail = strconv.FormatInt(r.ContentDays, 10) + " days, " + strconv.FormatInt(r.Destroyed, 10) + " destroyed"
		}
		rows = append(rows, []string{"retention", strings.TrimSuffix(r.TenantID+" "+r.Domain, " "), "-", "-", detail})
	}
	for _, a := range status.Archives {
		rows = append(rows, []string{"archive", a.File, strconv.FormatInt(a.First, 10) + " to " + strconv.FormatInt(a.Last, 10), when(&a.Time), a.SHA256})
	}
	if s := status.SubjectKeys; s != nil {
		rows = append(rows, []string{"subject keys", "-", strconv.FormatInt(s.Open, 10), "-", strconv.FormatInt(s.Destroyed, 10) + " destroyed"})
	}
	return rows
}

// when is a time, or a dash where there is none.
func when(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return t.UTC().Format(time.RFC3339)
}
