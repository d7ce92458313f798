package audit

// destroyed takes note of destroyed content, and of the records that permit it, which come after it.
func (v *verifier) destroyed(c *checked) {
	e := &c.entry
	if err := v.gone.Entry(*e); err != nil {
		v.found(CheckDestroyed, e.Index, e.Call, "Its columns can not be what was written: %v.", err)
	}
	if e.Destroyed() {
		v.report.Destroyed++
	}
	// A record whose leaf does not fit permits nothing.
	if c.evidence == nil || c.leafErr != nil || c.leaf != e.Leaf {
		return
	}
	if err := v.gone.Record(e.Index, c.evidence); err != nil {
		v.found(CheckDestroyed, e.Index, "", "It permits nothing: %v.", err)
	}
}

// unproven reports destroyed records that no record permits.
func (v *verifier) unproven() {
	for index, tenant := range v.gone.Unproven() {
		v.found(CheckDestroyed, index, "", "Its content (of tenant %q) was destroyed, and no record says that its retention was over.", tenant)
	}
}
