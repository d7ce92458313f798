/** The stream of approvals as the pages use it: it fills the query cache, and says how it stands. */
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { query } from "../api/client";
import { approvalQuery, inboxQuery } from "../api/people";
import type { Approval } from "../api/types";
import { skew } from "../lib/countdown";
import { take, told } from "../lib/inbox";
import { follow, type LinkState } from "../lib/sse";

/** How far the server's clock is ahead of this one, as the last connection told. */
let ahead = 0;

export interface Live {
  link: LinkState;
  /** now is the server's time. */
  now: () => number;
  /** The newest known state of what left the inbox while it was watched. */
  left: ReadonlyMap<string, Approval>;
}

const serverNow = () => Date.now() + ahead;

/**
 * useLive follows all approvals, or the one with that id, while it is on and the page is in sight: a tab in the background
 * holds no connection, and begins with everything that is pending when it is looked at again.
 */
export function useLive(on: boolean, id?: string): Live {
  const queries = useQueryClient();
  const visible = useVisible();
  const [link, setLink] = useState<LinkState>("connecting");
  const [left, setLeft] = useState<ReadonlyMap<string, Approval>>(() => new Map());
  useEffect(() => {
    if (!on || !visible) return;
    const end = new AbortController();
    void follow({
      path: "/api/v1/approvals/events" + query({ id }),
      state: setLink,
      opened: (clock) => (ahead = skew(clock, Date.now())),
      event: (event) => {
        const what = told(event);
        if (!what) return;
        const asOf = new Date(serverNow()).toISOString();
        for (const one of "one" in what ? [what.one] : what.reset) keep(one);
        if (id === undefined) queries.setQueryData(inboxQuery.queryKey, (page) => take(page ?? { items: [], next: null, as_of: asOf }, what, asOf));
      },
    }, end.signal);
    function keep(one: Approval) {
      // What a list leaves out for its size is asked for: the detail's own answer is never replaced by less.
      queries.setQueryData(approvalQuery(one.id).queryKey, (was) => (was ? { ...one, arguments: one.arguments ?? was.arguments } : was));
      if (one.state !== "pending") setLeft((map) => new Map(map).set(one.id, one));
    }
    return () => end.abort();
  }, [on, visible, id, queries]);
  return { link, now: serverNow, left };
}

function useVisible(): boolean {
  const [visible, set] = useState(() => document.visibilityState !== "hidden");
  useEffect(() => {
    const change = () => set(document.visibilityState !== "hidden");
    document.addEventListener("visibilitychange", change);
    return () => document.removeEventListener("visibilitychange", change);
  }, []);
  return visible;
}
