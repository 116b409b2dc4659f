/** The whoami page's one script, served from its own path so that the page needs no inline script. */
export const WHOAMI_SCRIPT = `'use strict';
(() => {
  const url = new URL('ws', document.currentScript.src);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  const [dot, state, log, form, input] = ['live-dot', 'live-state', 'live-log', 'live-form', 'live-text'].map((id) => document.getElementById(id));
  const lines = [];
  let tries = 0;
  const show = (text) => {
    lines.push(text);
    log.textContent = lines.slice(-5).join('\\n');
  };
  const say = (isOpen) => {
    dot.className = isOpen ? 'dot on' : 'dot';
    state.textContent = isOpen ? state.dataset.open : state.dataset.closed;
  };
  let socket;
  const connect = () => {
    socket = new WebSocket(url);
    socket.onopen = () => {
      tries = 0;
      say(true);
    };
    socket.onmessage = (event) => {
      const message = JSON.parse(event.data);
      show('time' in message ? message.time.slice(11, 19) + '  tick' : '          ' + message.echo);
    };
    socket.onclose = () => {
      say(false);
      if (++tries < 6) setTimeout(connect, 500 * 2 ** tries);
    };
  };
  form.hidden = false;
  form.onsubmit = (event) => {
    event.preventDefault();
    if (socket.readyState === WebSocket.OPEN && input.value !== '') socket.send(input.value);
    input.value = '';
  };
  for (const time of document.querySelectorAll('time')) time.textContent = new Date(time.dateTime).toLocaleString();
  connect();
})();
`;
