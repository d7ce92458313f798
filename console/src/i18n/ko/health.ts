/** Korean: health. */
import type { health as en } from "../en/health";

export const health: Record<keyof typeof en, string> = {
  "health.title": "상태",
  "health.components": "구성 요소",
  "health.component": "구성 요소",
  "health.state": "상태",
  "health.detail": "내용",
  "health.queue": "쓰기 대기열",
  "health.queueHint": "그룹 커밋을 기다리는 기록입니다. 가득 차면 호출이 기다리며, 버리는 것은 없습니다.",
  "health.ofCapacity": "{capacity} 중 {depth}",
  "health.inFlight": "지금 진행 중인 호출 {count}건.",
  "health.lag": "프로젝션 지연",
  "health.lagHint": "목록과 합계에 아직 나타나지 않은 기록입니다.",
  "health.cursor": "기록 {cursor}번까지 반영됨",
  "health.log": "로그",
  "health.logSize": "로그의 기록 수",
  "health.checkpoint": "서명된 체크포인트",
  "health.checkpointAt": "기록 {size}건, {time} 서명",
  "health.unsigned": "기록 {count}건은 아직 체크포인트에 들어 있지 않습니다.",
  "health.allSigned": "모든 기록이 들어 있습니다.",
  "health.noCheckpoint": "아직 서명된 체크포인트가 없습니다.",
  "health.root": "트리 루트",
  "health.verify": "직접 확인하는 명령",
  "health.version": "버전",
  "health.uptime": "{age}째 가동",
  "health.licenses": "콘솔에 쓰인 부품의 라이선스",
};
