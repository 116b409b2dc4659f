/** What only the pages of forward-auth say, in each language: what went wrong with a sign-in behind another proxy. */
import type { Texts } from './texts.ts';

type ForwardAuthTexts = Texts['forwardAuth'];

export const LATER_EN = 'Please try again in a moment.';

export const FORWARD_AUTH_EN: ForwardAuthTexts = {
  domains: (domains) => `Use an account of ${domains}.`,
  or: 'or',
  emptyName: 'Enter your name.',
  back: 'Go back',
  problems: {
    'cookie-missing': {
      title: 'This sign-in could not be finished',
      text: () =>
        'The browser did not send back the cookie that belongs to it: it was started in another browser, took too long, or cookies are blocked. Nothing was opened; just start again.',
      operator:
        'For whoever runs this site, if it happens each time: start and callback must be on hosts that share the cookie (cookie_domains), over HTTPS where the cookie is Secure, and cookie_samesite must not be "strict".',
    },
    'cookie-twice': {
      title: 'This sign-in could not be finished',
      text: () =>
        'The browser sent two different cookies of the same name, and neither can be trusted. They have been removed; just start again.',
      operator:
        'For whoever runs this site, if it happens each time: another host of this domain sets a cookie of this name. Choose another cookie_name, best one that begins with "__Host-".',
    },
    'cookie-expired': {
      title: 'This sign-in took too long',
      text: () => 'Nothing was opened; just start again.',
    },
    'state-forged': {
      title: 'This sign-in could not be finished',
      text: () =>
        'Its address was not made by this server, or was changed on the way. Nothing was opened; just start again.',
    },
    incomplete: {
      title: 'Nothing to finish here',
      text: () => 'This address only works on the way back from signing in. Start again from the app.',
    },
    refused: {
      title: 'You were not signed in',
      text: (label) => `${label} did not sign you in: it was cancelled, or this account may not use it.`,
    },
    redeem: {
      title: 'This sign-in could not be finished',
      text: (label) => `${label} did not confirm it, or its answer does not fit. Nothing was opened; just start again.`,
      operator:
        'For whoever runs this site, if it happens each time: check the client id, the client secret and the redirect URL. The log has the cause under the id below.',
    },
    'signed-out': {
      title: 'You were signed out meanwhile',
      text: (label) =>
        `${label} has ended your session while you came back from it. Nothing was opened; just start again.`,
    },
    unavailable: {
      title: 'Sign-in is not available right now',
      text: (label) => `${label} does not answer at the moment. Nobody has been signed out. ${LATER_EN}`,
    },
    'not-admitted': {
      title: 'This account is not let in here',
      text: (label) => `You signed in with ${label}, but with an account that this site does not accept.`,
    },
    unreadable: { title: 'This request cannot be read', text: () => 'The address or the form is not valid.' },
    'foreign-form': {
      title: 'This form was not accepted',
      text: () => 'It did not come from a page of this site. Start again here if you sent it yourself.',
    },
    'foreign-sign-out': {
      title: 'You are still signed in',
      text: () => 'Another site tried to sign you out without asking you. Nothing has been ended.',
    },
    store: { title: 'Sign-in is not available right now', text: () => `Nobody has been signed out. ${LATER_EN}` },
  },
};

export const LATER_KO = '잠시 후 다시 시도해 주세요.';

export const FORWARD_AUTH_KO: ForwardAuthTexts = {
  domains: (domains) => `${domains} 계정을 사용하세요.`,
  or: '또는',
  emptyName: '이름을 입력하세요.',
  back: '뒤로 가기',
  problems: {
    'cookie-missing': {
      title: '로그인을 마칠 수 없습니다',
      text: () =>
        '브라우저가 이 로그인에 필요한 쿠키를 보내지 않았습니다. 다른 브라우저에서 시작했거나, 시간이 너무 오래 걸렸거나, 쿠키가 차단되어 있습니다. 변경된 것은 없습니다. 다시 시작하세요.',
      operator:
        '사이트 운영자에게: 매번 발생한다면 시작 주소와 콜백 주소의 호스트가 쿠키를 공유해야 하고(cookie_domains), 쿠키가 Secure이면 HTTPS여야 하며, cookie_samesite가 "strict"이면 안 됩니다.',
    },
    'cookie-twice': {
      title: '로그인을 마칠 수 없습니다',
      text: () =>
        '브라우저가 이름이 같은 서로 다른 쿠키를 두 개 보내서 어느 쪽도 믿을 수 없습니다. 두 쿠키를 지웠습니다. 다시 시작하세요.',
      operator:
        '사이트 운영자에게: 매번 발생한다면 이 도메인의 다른 호스트가 같은 이름의 쿠키를 설정하고 있습니다. cookie_name을 바꾸세요. "__Host-"로 시작하는 이름이 가장 좋습니다.',
    },
    'cookie-expired': {
      title: '로그인에 시간이 너무 오래 걸렸습니다',
      text: () => '변경된 것은 없습니다. 다시 시작하세요.',
    },
    'state-forged': {
      title: '로그인을 마칠 수 없습니다',
      text: () => '이 서버가 만든 주소가 아니거나 도중에 바뀌었습니다. 변경된 것은 없습니다. 다시 시작하세요.',
    },
    incomplete: {
      title: '여기서 마칠 로그인이 없습니다',
      text: () => '이 주소는 로그인하고 돌아오는 길에만 쓰입니다. 앱에서 다시 시작하세요.',
    },
    refused: {
      title: '로그인하지 못했습니다',
      text: (label) => `${label}에서 로그인되지 않았습니다. 취소되었거나 이 계정으로는 사용할 수 없습니다.`,
    },
    redeem: {
      title: '로그인을 마칠 수 없습니다',
      text: (label) => `${label}에서 확인하지 않았거나 응답이 맞지 않습니다. 변경된 것은 없습니다. 다시 시작하세요.`,
      operator:
        '사이트 운영자에게: 매번 발생한다면 클라이언트 ID, 클라이언트 시크릿, 리디렉션 URL을 확인하세요. 원인은 아래 ID로 로그에 남아 있습니다.',
    },
    'signed-out': {
      title: '그 사이에 로그아웃되었습니다',
      text: (label) => `돌아오는 동안 ${label}에서 세션을 종료했습니다. 변경된 것은 없습니다. 다시 시작하세요.`,
    },
    unavailable: {
      title: '지금은 로그인할 수 없습니다',
      text: (label) => `지금 ${label}에서 응답이 없습니다. 로그아웃된 사람은 없습니다. ${LATER_KO}`,
    },
    'not-admitted': {
      title: '이 계정으로는 들어올 수 없습니다',
      text: (label) => `${label}\u2060(으)로 로그인했지만 이 사이트에서 받지 않는 계정입니다.`,
    },
    unreadable: { title: '요청을 읽을 수 없습니다', text: () => '주소 또는 양식이 올바르지 않습니다.' },
    'foreign-form': {
      title: '양식을 받을 수 없습니다',
      text: () => '이 사이트의 페이지에서 보낸 양식이 아닙니다. 직접 보냈다면 여기서 다시 시작하세요.',
    },
    'foreign-sign-out': {
      title: '아직 로그인되어 있습니다',
      text: () => '다른 사이트가 묻지 않고 로그아웃하려고 했습니다. 종료된 것은 없습니다.',
    },
    store: { title: '지금은 로그인할 수 없습니다', text: () => `로그아웃된 사람은 없습니다. ${LATER_KO}` },
  },
};

export const LATER_ZH_HANS = '请稍后再试。';

export const FORWARD_AUTH_ZH_HANS: ForwardAuthTexts = {
  domains: (domains) => `请使用 ${domains} 的账号。`,
  or: '或',
  emptyName: '请输入名称。',
  back: '返回',
  problems: {
    'cookie-missing': {
      title: '无法完成此次登录',
      text: () =>
        '浏览器没有送回此次登录所需的 Cookie：登录是在另一个浏览器中开始的、用时过长，或者 Cookie 被阻止。没有任何更改，请重新开始。',
      operator:
        '致网站管理员：如果每次都这样，开始地址和回调地址的主机必须共享该 Cookie（cookie_domains）；Cookie 为 Secure 时必须使用 HTTPS；cookie_samesite 不能为 "strict"。',
    },
    'cookie-twice': {
      title: '无法完成此次登录',
      text: () => '浏览器送来了两个同名但不同的 Cookie，两个都不可信。它们已被删除，请重新开始。',
      operator:
        '致网站管理员：如果每次都这样，说明此域名下的另一台主机设置了同名的 Cookie。请更换 cookie_name，最好以 "__Host-" 开头。',
    },
    'cookie-expired': {
      title: '此次登录用时过长',
      text: () => '没有任何更改，请重新开始。',
    },
    'state-forged': {
      title: '无法完成此次登录',
      text: () => '该地址不是由本服务器生成的，或者中途被更改。没有任何更改，请重新开始。',
    },
    incomplete: {
      title: '这里没有需要完成的登录',
      text: () => '此地址只在登录返回时使用。请从应用重新开始。',
    },
    refused: {
      title: '您未能登录',
      text: (label) => `${label} 没有让您登录：登录被取消，或者此账号不能使用它。`,
    },
    redeem: {
      title: '无法完成此次登录',
      text: (label) => `${label} 没有确认此次登录，或者其答复不相符。没有任何更改，请重新开始。`,
      operator:
        '致网站管理员：如果每次都这样，请检查客户端 ID、客户端密钥和重定向 URL。原因可在日志中按下面的编号查到。',
    },
    'signed-out': {
      title: '您在此期间已被退出登录',
      text: (label) => `在您返回的途中，${label} 结束了您的会话。没有任何更改，请重新开始。`,
    },
    unavailable: {
      title: '暂时无法登录',
      text: (label) => `${label} 目前没有响应。没有人被退出登录。${LATER_ZH_HANS}`,
    },
    'not-admitted': {
      title: '此账号不能进入',
      text: (label) => `您已通过 ${label} 登录，但本网站不接受此账号。`,
    },
    unreadable: { title: '无法读取此请求', text: () => '地址或表单无效。' },
    'foreign-form': {
      title: '此表单未被接受',
      text: () => '它不是从本网站的页面发送的。如果是您自己发送的，请在这里重新开始。',
    },
    'foreign-sign-out': {
      title: '您仍处于登录状态',
      text: () => '另一个网站试图在不询问您的情况下让您退出登录。没有结束任何会话。',
    },
    store: { title: '暂时无法登录', text: () => `没有人被退出登录。${LATER_ZH_HANS}` },
  },
};
