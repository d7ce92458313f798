package config

import "time"

// Domain is the kind of business of a tenant, by which the law says how long its records must be kept.
type Domain string

// The domains.
const (
	DomainGeneral    Domain = "general"
	DomainFinance    Domain = "finance"
	DomainHealthcare Domain = "healthcare"
)

// Days for which the records of a domain must be kept at least. What really binds a tenant is for its lawyers to say: these
// are floors that a configuration can not go below by mistake.
const (
	GeneralMinDays    = 365  // A year, as audits of a business year ask for.
	FinanceMinDays    = 1825 // Five years, as rules against money laundering and on trading records ask for at least.
	HealthcareMinDays = 2190 // Six years, as HIPAA asks for documentation (45 CFR 164.316).
)

// LeastContentDays is the shortest time after which content can be destroyed: longer than the longest call, which needs its
// intent until it has ended.
const LeastContentDays = 3

// MaxRetentionDays is the longest retention that can be given: a hundred years.
const MaxRetentionDays = 36525

// Domains are all of them.
func Domains() []Domain { return []Domain{DomainGeneral, DomainFinance, DomainHealthcare} }

// MinDays is the least that the law asks of the domain, in days; 0 where no domain is declared.
func (d Domain) MinDays() int64 {
	return map[Domain]int64{
		DomainGeneral: GeneralMinDays, DomainFinance: FinanceMinDays, DomainHealthcare: HealthcareMinDays,
	}[d]
}

// TenantRetention says how long the content of a tenant's records is kept. The tree and the headers of records are kept
// for ever.
type TenantRetention struct {
	Domain      Domain `json:"domain"`       // "" declares none.
	MinDays     int64  `json:"min_days"`     // Nothing is destroyed before; 0: what the domain and audit.min_retention_days say.
	ContentDays int64  `json:"content_days"` // After which content is destroyed, [LeastContentDays] at least; 0: never.
}

// Content is [TenantRetention.ContentDays] as a duration.
func (t TenantRetention) Content() time.Duration {
	return time.Duration(t.ContentDays) * 24 * time.Hour
}

// RetentionOf gives what holds for a tenant, with its MinDays; a tenant that says nothing keeps its content for ever.
func (c *Config) RetentionOf(tenant string) TenantRetention {
	var t TenantRetention
	for i := range c.Tenants {
		if c.Tenants[i].ID == tenant {
			t = c.Tenants[i].Retention
		}
	}
	t.MinDays = t.atLeast(c.Audit.MinRetentionDays)
	return t
}

// atLeast is for how many days nothing is destroyed, where that holds for all tenants.
func (t TenantRetention) atLeast(all int64) int64 { return max(t.MinDays, t.Domain.MinDays(), all) }
