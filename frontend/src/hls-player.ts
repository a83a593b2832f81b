// Live playlists in browsers that play none themselves (Firefox, older Chromium): hls.js, loaded only there.
import Hls from "hls.js/light";

/** Play a live playlist near its end; `failed` is called once when it cannot go on. Returns how to let go of it. */
export function attach(video: HTMLVideoElement, address: string, failed: () => void): () => void {
  const hls = new Hls({
    enableWorker: false, // one small stream: a worker would be a script made of text, which the page's policy forbids
    liveSyncDurationCount: 2,
    backBufferLength: 10,
  });
  let over = false;
  hls.on(Hls.Events.ERROR, (_event, problem) => {
    if (!problem.fatal || over) return;
    over = true;
    hls.destroy();
    failed();
  });
  hls.loadSource(address);
  hls.attachMedia(video);
  return () => {
    if (over) return;
    over = true;
    hls.destroy();
  };
}
