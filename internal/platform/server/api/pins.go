package api

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/signalbox/signalbox"
	"github.com/signalbox/signalbox/internal/tool/pin"
)

// Pins keeps in which form tools of MCP servers may be used. Errors are of code not_found, conflict (nothing waits, or
// another form does) or unavailable. Safe for concurrent use.
type Pins interface {
	List(ctx context.Context, server string) ([]signalbox.Pin, error) // In any order; "" is all servers.
	Review(ctx context.Context, by signalbox.Caller, v PinVerdict) (signalbox.Pin, error)
}

// PinVerdict is somebody's verdict about the new form of a tool.
type PinVerdict struct {
	Server, Tool string
	Form         string // That was looked at: the first digits of its hash.
	Accept       bool   // Else it is rejected.
	Reason       string
}

// Pin is in which form a tool may be used, and what keeps it from being used.
type Pin struct {
	ID       string             `json:"id" doc:"The tool's id: server.tool."`
	Server   string             `json:"server"`
	Tool     string             `json:"tool" doc:"As its server calls it."`
	State    signalbox.PinState `json:"state" enum:"pinned,held,rejected" doc:"held: nobody can use it before a review. rejected: it can be used in the form that is pinned only, where there is one."`
	First    time.Time          `json:"first_seen"`
	Since    time.Time          `json:"since"`
	Form     string             `json:"form" doc:"Of what is to be looked at: the new form where there is one. A review names it."`
	Fault    *string            `json:"fault" doc:"Why the form can not be accepted."`
	Flags    []PinFlag          `json:"flags" doc:"What is suspicious about the form."`
	Changed  []string           `json:"changed" doc:"Members of the definition that differ from what is pinned."`
	Diff     []string           `json:"diff" doc:"The difference: lines that begin with - or +. What people do not see is written by its number. Of a tool of which nothing is pinned, all of it."`
	Reviewed *time.Time         `json:"reviewed" doc:"When somebody decided last."`
	Reviewer *string            `json:"reviewer"`
	Reason   *string            `json:"reason"`
}

// PinFlag is something suspicious.
type PinFlag struct {
	Kind  signalbox.FlagKind `json:"kind" enum:"instruction,hidden,encoded,markup,sensitive,other_tool,look_alike,mixed_script,remote_ref"`
	Where string             `json:"where" doc:"A JSON pointer into the definition."`
	Text  string             `json:"text"`
}

// PinDetail is a pin with both forms.
type PinDetail struct {
	Pin
	Pinned *PinForm `json:"pinned" doc:"What may be used; null where nothing was accepted yet."`
	New    *PinForm `json:"new" doc:"What waits for review or was rejected; null where there is none."`
}

// PinForm is what a server says of a tool.
type PinForm struct {
	Form       string    `json:"form" doc:"SHA-256 of the definition."`
	Seen       time.Time `json:"seen" doc:"When it was seen first."`
	Definition *string   `json:"definition" doc:"Name, title, description, schemas and annotations as canonical JSON; null where they are too large to be kept."`
	Flags      []PinFlag `json:"flags"`
	Fault      *string   `json:"fault"`
}

// PinQuery are the filters of the list of pins.
type PinQuery struct {
	Paging
	Server  string `query:"server" maxLength:"63"`
	State   string `query:"state" enum:"pinned,held,rejected"`
	Flagged bool   `query:"flagged" doc:"Only tools whose form looks suspicious."`
}

// OnePin names a tool.
type OnePin struct {
	ID string `path:"id" maxLength:"512" doc:"server.tool"`
}

// ReviewPin is a verdict with its reason.
type ReviewPin struct {
	Form   string `json:"form" minLength:"8" maxLength:"64" pattern:"^[0-9a-f]+$" doc:"The form that was looked at, or its first digits: another one is not decided about."`
	Reason string `json:"reason" minLength:"1" maxLength:"500"`
}

func (s *server) registerPins(api huma.API) {
	readers := []signalbox.Role{
		signalbox.RoleDeveloper, signalbox.RoleApprover, signalbox.RoleAuditor, signalbox.RoleOperator, signalbox.RoleAdmin,
	}
	reviewers := []signalbox.Role{signalbox.RoleOperator, signalbox.RoleAdmin}
	huma.Register(api, operation("list-pins", http.MethodGet, "/pins", "Tools of MCP servers and in which form they may be used, newest change first", readers...), s.listPins)
	huma.Register(api, operation("get-pin", http.MethodGet, "/pins/{id}", "A tool with the form that is pinned and the one that waits for review", readers...), s.getPin)
	huma.Register(api, operation("accept-pin", http.MethodPost, "/pins/{id}/accept", "Let the new form of a tool be used", reviewers...), s.acceptPin)
	huma.Register(api, operation("reject-pin", http.MethodPost, "/pins/{id}/reject", "Keep the new form of a tool from being used", reviewers...), s.rejectPin)
}

func pinRow(p *signalbox.Pin) Pin {
	f := p.Shown()
	row := Pin{
		ID: p.ID(), Server: p.Server, Tool: p.Tool, State: p.State, First: p.First, Since: p.Since, Form: pin.Hex(f.Hash), Fault: OrNull(f.Fault),
		Flags: pinFlags(&f), Changed: []string{}, Diff: []string{}, Reviewed: timeOrNull(p.Review.At), Reviewer: OrNull(p.Review.By), Reason: OrNull(p.Review.Reason),
	}
	if p.New == nil {
		return row
	}
	before := ""
	if p.Pinned != nil {
		before = p.Pinned.Definition
		row.Changed = append(row.Changed, pin.Changed(before, p.New.Definition)...)
	}
	row.Diff = append(row.Diff, pin.Diff(before, p.New.Definition)...)
	return row
}

func pinFlags(f *signalbox.ToolForm) []PinFlag {
	flags := make([]PinFlag, len(f.Flags))
	for i, g := range f.Flags {
		flags[i] = PinFlag(g)
	}
	return flags
}

func pinForm(f *signalbox.ToolForm) *PinForm {
	if f == nil {
		return nil
	}
	return &PinForm{Form: pin.Hex(f.Hash), Seen: f.Seen, Definition: OrNull(f.Definition), Flags: pinFlags(f), Fault: OrNull(f.Fault)}
}

func pinDetail(p *signalbox.Pin) PinDetail {
	return PinDetail{Pin: pinRow(p), Pinned: pinForm(p.Pinned), New: pinForm(p.New)}
}

// byChange orders pins: the newest change first, and those of one moment by their ids.
func byChange(a, b signalbox.Pin) int {
	return cmp.Or(b.Since.Compare(a.Since), cmp.Compare(a.Server, b.Server), cmp.Compare(a.Tool, b.Tool))
}

// pinCursor is where the next page of pins begins: behind this one.
func pinCursor(p *signalbox.Pin) string {
	return strconv.FormatInt(p.Since.UnixMicro(), 10) + " " + p.Server + " " + p.Tool
}

func parsePinCursor(cursor string) (p signalbox.Pin, err error) {
	parts := strings.SplitN(cursor, " ", 3)
	micros, err := strconv.ParseInt(parts[0], 10, 64)
	if err != nil || len(parts) != 3 {
		return p, errCursor()
	}
	return signalbox.Pin{Since: time.UnixMicro(micros).UTC(), Server: parts[1], Tool: parts[2]}, nil
}

func (s *server) listPins(ctx context.Context, q *PinQuery) (*Body[Page[Pin]], error) {
	c := callerOf(ctx)
	page := Page[Pin]{Items: []Pin{}, AsOf: s.Now().UTC()}
	var after *signalbox.Pin
	if q.Cursor != "" {
		p, err := parsePinCursor(q.Cursor)
		if err != nil {
			return nil, fail(c, err)
		}
		after = &p
	}
	list, err := s.Pins.List(ctx, q.Server)
	if err != nil {
		return nil, fail(c, err)
	}
	list = slices.DeleteFunc(list, func(p signalbox.Pin) bool {
		return !s.knows(c, p.Server) || q.State != "" && string(p.State) != q.State || q.Flagged && len(p.Shown().Flags) == 0 || after != nil && byChange(p, *after) <= 0
	})
	slices.SortFunc(list, byChange)
	if len(list) > q.Limit {
		list = list[:q.Limit]
		page.Next = cursor(pinCursor(&list[q.Limit-1]))
	}
	for i := range list {
		page.Items = append(page.Items, pinRow(&list[i]))
	}
	return &Body[Page[Pin]]{page}, nil
}

// findPin gives the pin of a tool.
func (s *server) findPin(ctx context.Context, id string) (signalbox.Pin, error) {
	if server, tool, named := strings.Cut(id, "."); named && server != "" && s.knows(callerOf(ctx), server) {
		list, err := s.Pins.List(ctx, server)
		if err != nil {
			return signalbox.Pin{}, err
		}
		if i := slices.IndexFunc(list, func(p signalbox.Pin) bool { return p.Tool == tool }); i >= 0 {
			return list[i], nil
		}
	}
	return signalbox.Pin{}, signalbox.Errorf(signalbox.CodeNotFound, "There is no tool %s that was ever seen.", strconv.Quote(id)).WithField("id").
		WithRemedy("Look for it in the list of pins; a tool is seen when its server's tools are first listed.")
}

func (s *server) getPin(ctx context.Context, in *OnePin) (*Body[PinDetail], error) {
	p, err := s.findPin(ctx, in.ID)
	if err != nil {
		return nil, fail(callerOf(ctx), err)
	}
	return &Body[PinDetail]{pinDetail(&p)}, nil
}

// PinReview is the verdict about one tool.
type PinReview struct {
	OnePin
	Body ReviewPin
}

func (s *server) acceptPin(ctx context.Context, in *PinReview) (*Body[PinDetail], error) {
	return s.reviewPin(ctx, in, true)
}

func (s *server) rejectPin(ctx context.Context, in *PinReview) (*Body[PinDetail], error) {
	return s.reviewPin(ctx, in, false)
}

func (s *server) reviewPin(ctx context.Context, in *PinReview, accept bool) (*Body[PinDetail], error) {
	c := callerOf(ctx)
	p, err := s.findPin(ctx, in.ID)
	if err != nil {
		return nil, fail(c, err)
	}
	reason, err := readReason("reason", in.Body.Reason, true)
	if err == nil {
		p, err = s.Pins.Review(ctx, c.caller(), PinVerdict{Server: p.Server, Tool: p.Tool, Form: in.Body.Form, Accept: accept, Reason: reason})
	}
	if err != nil {
		return nil, fail(c, err)
	}
	return &Body[PinDetail]{pinDetail(&p)}, nil
}
