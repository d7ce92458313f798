/** The mark: a semaphore with its arm raised, in the colours of the livery. */
export function Mark() {
  return (
    <svg viewBox="0 0 26 26" aria-hidden="true" focusable="false">
      <path d="M8.5 24V4M5 24h7" stroke="currentColor" strokeWidth="2.2" strokeLinecap="round" fill="none" />
      <path d="M9 10.6 21.5 3.8" stroke="var(--accent)" strokeWidth="4.8" />
      <circle cx="8.5" cy="10.8" r="2.5" fill="var(--bg)" stroke="currentColor" strokeWidth="1.8" />
    </svg>
  );
}
