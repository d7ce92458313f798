package config

import (
	"slices"
	"strings"
	"unicode"
)

// currency is what a text says about the currency of an amount.
type currency int

const (
	noCurrency currency = iota
	domestic            // US dollars, in words or signs.
	foreign             // Any other.
)

// Names by which people write currencies, in small letters: codes of ISO 4217 that are much used, and words. They only
// choose a message.
var (
	dollarNames  = []string{"usd", "us", "dollar", "dollars", "us dollars"}
	foreignNames = strings.Fields(`aed ars aud bdt bgn brl btc cad chf clp cny cop czk dkk egp eth eur gbp hkd huf idr ils inr isk
		jpy kes krw kzt mad mxn myr ngn nok nzd pen php pkr pln qar ron rub sar sek sgd thb try twd uah usdc usdt vnd zar
		euro euros franc francs peso pesos pound pounds rupee rupees won yen yuan 원 엔 위안 유로`)
)

// currencyOf finds a currency in "100 EUR", "€5", "$5" or "eur". A text without one may be a number or anything else.
func currencyOf(text string) currency {
	signs := strings.Map(func(c rune) rune {
		if unicode.Is(unicode.Sc, c) {
			return c
		}
		return -1
	}, text)
	words := strings.ToLower(strings.TrimFunc(text, func(c rune) bool { return !unicode.IsLetter(c) }))
	switch {
	case slices.Contains(foreignNames, words), strings.Trim(signs, "$") != "":
		return foreign
	case slices.Contains(dollarNames, words), signs != "" && words == "":
		return domestic
	case signs != "": // "A$5", "R$ 5".
		return foreign
	}
	return noCurrency
}
