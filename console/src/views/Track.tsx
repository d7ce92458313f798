/** The way of one call through the stations, in their order. What did not run is drawn as not run, never as passed. */
import type { CallDetail, StationName } from "../api/types";
import { useI18n, type Key, type Translate } from "../i18n";
import { useStatusWord } from "../ui/Signal";

type Look = "passed" | "skipped" | "halted" | "caution" | "beyond";

interface Stop {
  name: Key;
  look: Look;
  state: string;
}

const ORDER: readonly StationName[] = ["gate", "resolve", "policy", "guard_input", "approval"];
const HALTS = new Set(["denied", "blocked", "failed", "error", "refused", "expired"]);

export function Track({ call }: { call: CallDetail }) {
  return <Line stops={useStops(call)} />;
}

/** StationTrack is the way as one record has it, without the records around it. */
export function StationTrack({ stations }: { stations: Partial<Record<StationName, string>> }) {
  const station = useStation(stations);
  return <Line stops={beyond([...ORDER, "attempt" as const, "guard_output" as const].map(station))} />;
}

function Line({ stops }: { stops: Stop[] }) {
  const { t } = useI18n();
  return (
    <ol className="track panel">
      {stops.map((stop) => (
        <li key={stop.name} className={stop.look}>
          <span className="dot" aria-hidden="true" />
          <span className="name">{t(stop.name)}</span>
          <span className="state">{stop.state}</span>
        </li>
      ))}
    </ol>
  );
}

function useStation(stations: Partial<Record<StationName, string>>): (name: StationName) => Stop {
  const { t } = useI18n();
  const word = useStatusWord();
  return (name) => {
    const value = stations[name] || undefined;
    const state = value === undefined ? t("station.unknown") : value === "not_run" ? t("station.not_run") : word(value);
    return { name: `station.${name}`, look: look(value), state };
  };
}

function useStops(call: CallDetail): Stop[] {
  const { t } = useI18n();
  const station = useStation(call.stations);
  const { intent_index: intent, outcome_index: outcome } = call.record;
  const record = (name: Key, index: number | null): Stop => ({
    name,
    look: index === null ? "beyond" : "passed",
    state: index === null ? t("call.notWritten") : "#" + index,
  });
  const stops = [
    ...ORDER.map(station),
    record("station.intent", intent),
    attempts(call, t),
    station("guard_output"),
    record("station.outcome", outcome),
  ];
  return beyond(stops);
}

function look(value: string | undefined): Look {
  if (value === "passed" || value === "ok") return "passed";
  if (value === undefined || value === "not_run") return "skipped";
  return HALTS.has(value) ? "halted" : "caution";
}

/** attempts is the station with the most to tell: how often it was tried, beside what the record says of it. */
function attempts(call: CallDetail, t: Translate): Stop {
  const value = call.stations.attempt;
  if (call.outcome === "running") return { name: "station.attempt", look: "caution", state: t("outcome.running") };
  const tries = call.attempts_detail.length;
  const state = tries === 0 ? t("station.notSent") : t(tries === 1 ? "station.oneAttempt" : "calls.attempts", { count: tries });
  return { name: "station.attempt", look: look(value), state };
}

/** beyond marks the stations after the one that stopped the call: it never came to them. The outcome is always written. */
function beyond(stops: Stop[]): Stop[] {
  const halt = stops.findIndex((stop) => stop.look === "halted");
  return stops.map((stop, i) => (halt >= 0 && i > halt && stop.look === "skipped" ? { ...stop, look: "beyond" } : stop));
}
