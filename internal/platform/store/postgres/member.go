package postgres

// member is this replica among the others.
type member struct {
	fenced chan struct{} // Closed once this replica knows that it is fenced.
}

func (m *member) stop() {}
