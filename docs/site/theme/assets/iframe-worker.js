/* Search on pages that are opened from a disk: browsers start no worker from there, so its script
   runs in a hidden frame, behind the interface of a worker. */
"use strict";
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      document.body.append(this.frame);
      const scope = this.frame.contentWindow;
      scope.postMessage = (data) => setTimeout(() => this.dispatchEvent(new MessageEvent("message", { data })));
      this.isReady = new Promise((resolve, reject) => {
        const script = scope.document.createElement("script");
        Object.assign(script, { src: url, onload: resolve, onerror: () => reject(new Error(`${url} cannot be read.`)) });
        scope.document.head.append(script);
      });
    }

    postMessage(data) {
      const scope = this.frame.contentWindow;
      this.isReady.then(() => scope.dispatchEvent(new scope.MessageEvent("message", { data })));
    }

    terminate() {
      this.frame.remove();
    }
  };
}
