//go:build no_ui

// Package console says, in a binary built with the tag no_ui, that the web console was left out.
package console

import "net/http"

// Handler answers every request with 404 and says why and where the same data is.
func Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "This Signalbox was built without its console (build tag no_ui). "+
			"The same data is at /api/v1 and in the signalbox command.", http.StatusNotFound)
	})
}
