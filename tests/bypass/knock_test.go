package bypass

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/signalbox/signalbox/tests/harness"
)

// exchange is a request on a connection of its own, and its answer.
type exchange struct {
	conn   net.Conn
	status int
	header http.Header
	all    string // Everything that came, heads too.
}

// knock writes a request as it stands.
func knock(address, request string) (*exchange, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	// Whoever refuses a request early may close before all of it is written.
	if _, err := io.WriteString(conn, request); err != nil && !strings.Contains(err.Error(), "reset") && !strings.Contains(err.Error(), "pipe") {
		conn.Close()
		return nil, err
	}
	return &exchange{conn: conn}, nil
}

// read reads the answer to the end of the connection.
func (x *exchange) read() error {
	defer x.conn.Close()
	if err := x.conn.SetReadDeadline(time.Now().Add(2 * harness.Patience)); err != nil {
		return err
	}
	var b bytes.Buffer
	_, err := io.Copy(&b, x.conn)
	x.all = b.String()
	res, parseErr := http.ReadResponse(bufio.NewReader(&b), nil)
	if parseErr != nil {
		return fmt.Errorf("no answer: %w, %w", parseErr, cmp.Or(err, io.EOF))
	}
	x.status, x.header = res.StatusCode, res.Header
	return res.Body.Close()
}

var codes = regexp.MustCompile(`"code":\s*"([a-z_]+)"`)

// code gives our code of an error, in whatever shape.
func (x *exchange) code() string {
	if m := codes.FindStringSubmatch(x.all); m != nil {
		return m[1]
	}
	return ""
}

// member gives the text of a member of a document, wherever it is.
func member(text, name string) string {
	m := regexp.MustCompile(`"` + name + `":\s*"([^"]*)"`).FindStringSubmatch(text)
	if m == nil {
		return ""
	}
	return m[1]
}

// request writes the bytes of a step. expand fills in what stands between "<<" and ">>".
func (s Step) request(expand func(string) string) string {
	if s.Raw != "" {
		return unescape(expand(s.Raw))
	}
	body := s.Body
	switch {
	case s.Bytes != "":
		body = unescape(s.Bytes)
	case s.Tool != "":
		body = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"` + s.Tool + `","arguments":` + s.Args + `}}`
	case s.Modern != "":
		body = s.modern()
	case s.Chat != "":
		body = `{"model":"` + s.Chat + `","max_tokens":10,"messages":[{"role":"user","content":"hello"}]}`
	}
	body = expand(body)
	lines := []string{
		"Host: signalbox.test", "Connection: close", "Accept: application/json, text/event-stream",
		"Content-Length: " + strconv.Itoa(len(body)),
	}
	if body != "" {
		lines = append(lines, "Content-Type: application/json")
	}
	if s.As != "" && s.As != "nobody" {
		lines = append(lines, "Authorization: Bearer "+expand("<<key "+s.As+">>"))
	}
	if s.Modern != "" {
		lines = append(lines, "MCP-Protocol-Version: 2026-07-28", "Mcp-Method: "+s.Modern, "Mcp-Name: "+expand(s.About))
	}
	for _, h := range s.Headers {
		name, drop := strings.CutPrefix(h, "-")
		if !drop {
			lines = append(lines, unescape(expand(h)))
			continue
		}
		lines = without(lines, name)
	}
	return s.Method + " " + unescape(expand(s.Path)) + " HTTP/1.1\r\n" + strings.Join(lines, "\r\n") + "\r\n\r\n" + body
}

// modern writes a message of 2026-07-28.
func (s Step) modern() string {
	const meta = `"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"t","version":"1"},` +
		`"io.modelcontextprotocol/clientCapabilities":{"elicitation":{},"extensions":{"io.modelcontextprotocol/tasks":{}}}}`
	params := `"taskId":"` + s.About + `"`
	if s.Modern == "tools/call" {
		params = `"name":"` + s.About + `","arguments":` + s.Args
	}
	if s.More != "" {
		params += "," + s.More
	}
	return `{"jsonrpc":"2.0","id":1,"method":"` + s.Modern + `","params":{` + params + "," + meta + "}}"
}

func without(lines []string, name string) (left []string) {
	for _, l := range lines {
		if !strings.HasPrefix(l, name+":") {
			left = append(left, l)
		}
	}
	return left
}

var placeholder = regexp.MustCompile(`<<([a-z]+) ([^>]*)>>`)

// expander gives what fills placeholders. kept are the things that steps have kept.
func expander(kept map[string]string, link func(approval, channel string) string) func(string) string {
	return func(text string) string {
		return placeholder.ReplaceAllStringFunc(text, func(p string) string {
			m := placeholder.FindStringSubmatch(p)
			first, second, _ := strings.Cut(m[2], " ")
			switch m[1] {
			case "key":
				return cmp.Or(configured[first], kept["key "+first], secret(first))
			case "id":
				return cmp.Or(kept[first], "none")
			case "link":
				return link(kept[first], second)
			case "token":
				_, token, _ := strings.Cut(link(kept[first], second), "token=")
				return token
			case "repeat":
				n, err := strconv.Atoi(first)
				if err != nil {
					return p
				}
				return strings.Repeat(second, n)
			}
			return p
		})
	}
}
