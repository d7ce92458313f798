/**
 * Money without floats. The API writes US dollars as decimal strings with up to nine places; here they are BigInt
 * nano-dollars for sums and comparisons. Only a chart's pixel position may leave this world, through toChart.
 */

export const NANO = 1_000_000_000n;

const SHAPE = /^(-?)(\d+)(?:\.(\d{1,9})\d*)?$/;

/** parseMoney returns nano-dollars; text that is no amount is null, so that it is shown as unknown and not as zero. */
export function parseMoney(text: string | null | undefined): bigint | null {
  const match = SHAPE.exec(text ?? "");
  if (!match) return null;
  const value = BigInt(match[2]!) * NANO + BigInt((match[3] ?? "").padEnd(9, "0"));
  return match[1] === "-" ? -value : value;
}

export function sumMoney(texts: (string | null | undefined)[]): bigint {
  return texts.reduce((sum, text) => sum + (parseMoney(text) ?? 0n), 0n);
}

/** exactMoney writes every digit that counts, at least two places: what a tooltip and a CSV file carry. */
export function exactMoney(nano: bigint): string {
  const sign = nano < 0n ? "-" : "";
  const value = nano < 0n ? -nano : nano;
  const places = String(value % NANO).padStart(9, "0").replace(/0+$/, "").padEnd(2, "0");
  return `${sign}${value / NANO}.${places}`;
}

/** roundMoney keeps the given number of places, half away from zero, with grouped thousands. */
export function roundMoney(nano: bigint, places: number): string {
  const sign = nano < 0n ? "-" : "";
  const unit = 10n ** BigInt(9 - places);
  const scaled = ((nano < 0n ? -nano : nano) + unit / 2n) / unit;
  const whole = String(scaled / 10n ** BigInt(places)).replace(/\B(?=(\d{3})+$)/g, ",");
  const rest = places === 0 ? "" : "." + String(scaled % 10n ** BigInt(places)).padStart(places, "0");
  return `${sign}$${whole}${rest}`;
}

/**
 * showMoney is the form for reading: cents from a hundred dollars up, four places below, six below one cent.
 * An amount too small for six places says so and never reads as zero.
 */
export function showMoney(text: string | null | undefined): string {
  const nano = parseMoney(text);
  if (nano === null) return "–";
  return showNano(nano);
}

export function showNano(nano: bigint): string {
  const size = nano < 0n ? -nano : nano;
  if (size === 0n) return "$0";
  if (size < 500n) return "<$0.000001";
  if (size < NANO / 100n) return roundMoney(nano, 6);
  if (size < 100n * NANO) return roundMoney(nano, 4);
  return roundMoney(nano, 2);
}

export function compareMoney(a: string | null | undefined, b: string | null | undefined): number {
  const left = parseMoney(a) ?? -1n;
  const right = parseMoney(b) ?? -1n;
  return left < right ? -1 : left > right ? 1 : 0;
}

/** toChart gives dollars as a float, for the position of a pixel only. */
export function toChart(nano: bigint): number {
  return Number(nano) / 1e9;
}
