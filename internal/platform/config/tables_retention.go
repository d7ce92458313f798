package config

import "fmt"

// retained is what a tenant says of its retention, and where.
type retained struct {
	seen
	TenantRetention
}

func tenantRetentionTable(t *TenantRetention) value {
	return object{fields: []field{
		key("domain", "Its kind of business, by which the law says how long records must be kept.", oneOf(&t.Domain, Domains()...)),
		key("min_days", "Days for which no content of its records can be destroyed.", integer(&t.MinDays, 1, MaxRetentionDays)),
		key("content_days", "Days after which the content of its records is destroyed, with evidence; 0 keeps it for ever.", integer(&t.ContentDays, 0, MaxRetentionDays)),
	}, check: func(s seen) { s.r.retained = append(s.r.retained, retained{s, *t}) }}
}

// checkRetention reports retentions that are shorter than they may be. It is asked at the end, as what holds for all
// tenants may stand anywhere in the file.
func checkRetention(r *reader, all int64) {
	for _, t := range r.retained {
		legal := t.Domain.MinDays()
		switch {
		case t.MinDays == 0:
		case t.MinDays < legal:
			t.below("min_days", t.MinDays, legal)
		case t.MinDays < all:
			t.problem("min_days", fmt.Sprintf("%d is below audit.min_retention_days, %d, which holds for all tenants", t.MinDays, all), "raise it, or lower the other")
		}
		least := t.atLeast(all)
		switch {
		case t.ContentDays == 0:
		case t.ContentDays < LeastContentDays:
			t.problem("content_days", fmt.Sprintf("%d is below %d, and a call may be open for two days (cluster.longest_call): its records must not go before it ends",
				t.ContentDays, LeastContentDays), fmt.Sprintf("give %d or more, or 0 to keep content for ever", LeastContentDays))
		case t.ContentDays < legal:
			t.below("content_days", t.ContentDays, legal)
		case t.ContentDays < least && least == t.MinDays:
			t.problem("content_days", fmt.Sprintf("%d is below min_days, %d", t.ContentDays, least), "raise it, or lower min_days")
		case t.ContentDays < least:
			t.problem("content_days", fmt.Sprintf("%d is below audit.min_retention_days, %d, which holds for all tenants", t.ContentDays, least), "raise it, or lower the other")
		}
	}
}

func (t retained) below(key string, days, legal int64) {
	t.problem(key, fmt.Sprintf("%d is below %d, the legal minimum of the domain %s", days, legal, t.Domain),
		fmt.Sprintf("give %d or more, or correct the domain", legal))
}
