package rpc

import "testing"

func TestHeaderValue(t *testing.T) {
	for name, want := range map[string]string{
		"read_file": "read_file", "읽기": "=?base64?7J296riw?=", " x": "=?base64?IHg=?=", "=?base64?x": "=?base64?PT9iYXNlNjQ/eA==?=",
	} {
		t.Run(name, func(t *testing.T) {
			if got := EncodeName(name); got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
}
