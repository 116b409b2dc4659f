/** Korean. Polite, plain, short sentences, no blame, always a next step. */
import { REGISTRATION_KO } from './registration.ts';
import type { Texts } from './texts.ts';

const later = '잠시 후 다시 시도해 주세요.';

export const KO: Texts = {
  language: 'ko',
  requestId: '요청 ID',
  tryAgain: '다시 시도',
  backToApp: (host) => `${host}\u2060(으)로 돌아가기`,
  goHome: '시작 페이지로 이동',
  signedInAs: '로그인한 계정',
  useAnotherAccount: '다른 계정 사용',
  seconds: (count) => (count < 60 ? `${count}초` : `${Math.ceil(count / 60)}분`),
  errors: {
    '400': { title: '요청을 읽을 수 없습니다', text: '주소 또는 요청이 올바르지 않습니다.' },
    '401': { title: '자격 증명이 필요합니다', text: '여기에는 올바른 자격 증명을 가진 프로그램만 들어올 수 있습니다.' },
    CREDENTIAL_REFUSED: {
      title: '자격 증명이 거부되었습니다',
      text: '비밀번호 또는 토큰이 틀렸거나, 취소되었거나, 만료되었습니다.',
    },
    '403': { title: '접근 권한이 없습니다', text: '이 사이트의 규칙에 따라 이 요청은 허용되지 않습니다.' },
    '404': { title: '페이지가 없습니다', text: '이 주소에는 페이지가 없습니다.' },
    '405': { title: '지원하지 않는 방식입니다', text: '이 페이지는 이런 종류의 요청을 받지 않습니다.' },
    '408': { title: '시간이 초과되었습니다', text: '요청이 제시간에 도착하지 않았습니다.' },
    '413': { title: '너무 큽니다', text: '보내신 내용이 이 사이트에서 허용하는 크기를 넘습니다.' },
    '414': { title: '주소가 너무 깁니다', text: '주소가 이 사이트에서 허용하는 길이를 넘습니다.' },
    '421': {
      title: '여기서 제공하지 않는 이름입니다',
      text: '이 서버는 이 연결에서 해당 이름을 제공하지 않습니다. 주소를 확인하거나 페이지를 새로 고쳐 주세요.',
    },
    '429': { title: '요청이 너무 많습니다', text: '잠시 기다린 후 다시 시도해 주세요.' },
    '431': {
      title: '요청이 너무 큽니다',
      text: '브라우저가 보낸 헤더가 이 사이트에서 허용하는 크기를 넘습니다. 이 사이트의 쿠키를 삭제하면 도움이 될 수 있습니다.',
    },
    '500': { title: '문제가 발생했습니다', text: '서버 쪽 오류입니다. 아래 ID로 기록되었습니다.' },
    '501': { title: '지원하지 않습니다', text: '이 사이트는 이런 종류의 요청을 지원하지 않습니다.' },
    '502': {
      title: '앱이 응답하지 않습니다',
      text: `이 주소의 앱에 연결할 수 없거나 앱이 올바르지 않은 응답을 보냈습니다. ${later}`,
    },
    '503': { title: '지금은 이용할 수 없습니다', text: `이 사이트는 지금 요청을 처리할 수 없습니다. ${later}` },
    '504': { title: '앱의 응답이 너무 늦습니다', text: `이 주소의 앱이 제시간에 응답하지 않았습니다. ${later}` },
    NO_HOST: {
      title: '이 이름으로 제공되는 사이트가 없습니다',
      text: '이 서버에는 이 이름의 사이트가 없습니다. 주소에 오타가 있는지 확인해 주세요.',
    },
    ENCODED_SLASH: {
      title: '사용할 수 없는 주소입니다',
      text: '주소에 인코딩된 슬래시(%2F)가 있어 이 사이트가 전달하지 않습니다. 운영자는 “encoded_slash: keep”으로 허용할 수 있습니다.',
    },
    STORE_UNAVAILABLE: { title: '지금은 로그인할 수 없습니다', text: `로그아웃된 사람은 없습니다. ${later}` },
    TOKEN_UNAVAILABLE: {
      title: '지금은 로그인을 갱신할 수 없습니다',
      text: `이 앱에는 로그인 서비스의 새 토큰이 필요하지만 서비스가 응답하지 않습니다. 로그아웃되지는 않았습니다. ${later}`,
    },
    LOOP_DETECTED: {
      title: '앱이 자기 자신을 가리킵니다',
      text: '이 요청이 한 바퀴 돌아 다시 들어왔습니다. 운영자가 경로 설정을 확인해야 합니다.',
    },
    other: { title: '처리하지 못했습니다', text: '요청에 응답할 수 없습니다.' },
  },
  signIn: {
    title: '로그인',
    to: (host) => `${host}에 계속하려면 로그인하세요`,
    name: '이름',
    password: '비밀번호',
    submit: '로그인',
    continueAs: (name) => `${name}\u2060(으)로 계속`,
    alreadyAs: (name) =>
      `현재 ${name} 계정으로 로그인되어 있습니다. 아래에서 다른 계정으로 로그인하면 그 세션은 끝납니다.`,
    wrong: '이름 또는 비밀번호가 올바르지 않습니다.',
    disabled: '사용이 중지된 계정입니다. 사이트 운영자에게 문의해 주세요.',
    empty: '이름과 비밀번호를 입력해 주세요.',
    expired: '이 페이지를 너무 오래 열어 두었습니다. 다시 로그인해 주세요.',
    wait: (time) => `시도 횟수가 너무 많습니다. ${time} 후에 다시 시도해 주세요.`,
    busy: '지금 로그인하는 사람이 너무 많습니다. 몇 초 후에 다시 시도해 주세요.',
    noCookies: '브라우저가 이 페이지의 쿠키를 보내지 않았습니다. 이 사이트의 쿠키를 허용한 뒤 다시 로그인해 주세요.',
  },
  secondStep: {
    title: '한 단계 더',
    code: '인증 앱의 코드',
    recoveryCode: '복구 코드',
    useRecovery: '대신 복구 코드 사용',
    submit: '계속',
    empty: '코드를 입력해 주세요.',
    wrong: '코드가 올바르지 않거나 이미 사용되었습니다. 다음 코드를 기다리고 휴대전화의 시계를 확인해 주세요.',
    wrongRecovery: '복구 코드가 올바르지 않거나 이미 사용되었습니다. 복구 코드는 각각 한 번만 쓸 수 있습니다.',
    usePasskey: '패스키 사용',
    passkeyFailed: '패스키를 사용할 수 없었습니다. 다시 시도하거나 다른 방법을 선택해 주세요.',
    passkeyWrong: '이 패스키는 받아들여지지 않았습니다. 다시 시도하거나 다른 방법을 선택해 주세요.',
    signInWithPasskey: '패스키로 로그인',
    noPasskey: '이 브라우저에서는 패스키를 사용할 수 없습니다. JavaScript와 패스키를 지원하는 브라우저가 필요합니다.',
  },
  security: {
    title: '로그인 및 보안',
    open: '로그인 및 보안',
    neededFor: (host) => `${host}에는 2단계 인증이 필요합니다. 계속하려면 설정해 주세요.`,
    none: '2단계 인증이 설정되어 있지 않습니다. 비밀번호를 아는 사람은 누구나 이 계정을 쓸 수 있습니다.',
    add: '2단계 인증 추가',
    addTotp: '인증 앱 추가',
    addPasskey: '패스키 추가',
    totp: '인증 앱',
    passkey: '패스키',
    lastUsed: '마지막 사용:',
    never: '없음',
    remove: '삭제',
    removeNamed: (name) => `${name} 삭제`,
    recovery: '복구 코드',
    recoveryLeft: (count) => `남은 코드: ${count}개. 다른 방법이 없을 때 한 번씩 쓸 수 있습니다.`,
    newRecovery: '새 코드 만들기',
    keep: '휴대전화 없이도 찾을 수 있는 곳에 이 코드를 보관하세요. 각 코드는 한 번만 쓸 수 있고 다시 표시되지 않으며, 이전 코드는 무효가 됩니다.',
    kept: '보관했습니다',
    recoveryUsed: '복구 코드로 로그인했습니다. 그 코드는 이제 쓸 수 없습니다. 2단계 인증을 확인해 주세요.',
    scan: '인증 앱으로 이 코드를 스캔한 다음 표시되는 여섯 자리 숫자를 입력하세요.',
    qrLabel: '인증 앱용 QR 코드',
    typeInstead: '또는 이 키를 앱에 직접 입력하세요:',
    nameLabel: '이름(선택)',
    passkeyName: '패스키 이름(선택)',
    confirm: '확인',
    confirmFirst: '로그인한 지 시간이 지났습니다. 본인인지 확인해 주세요.',
    back: '뒤로',
    foreign: (provider) => `"${provider}"\u2060(으)로 로그인합니다. 비밀번호와 2단계 인증은 그곳에서 관리합니다.`,
    providerNeeded: (provider) => ({
      title: '2단계 인증이 필요합니다',
      text: `"${provider}"에서 2단계 인증으로 로그인했다는 확인을 받지 못했습니다. 그곳에서 2단계 인증을 켠 뒤 다시 로그인해 주세요.`,
    }),
    proofNeeded: (provider) => ({
      title: '이 페이지에는 더 확실한 로그인이 필요합니다',
      text: `"${provider}"에서 최근에 또는 충분히 강한 방법으로 로그인했다는 확인을 받지 못했습니다. 그곳에서 로그아웃한 뒤 다시 로그인해 주세요. 그래도 되지 않으면 사이트 운영자가 확인해야 합니다.`,
    }),
  },
  provider: {
    with: (label) => `${label}\u2060(으)로 계속`,
    local: '로컬 계정',
    others: '다른 방법으로 로그인',
    alreadyAs: (name) => `${name}\u2060(으)로 로그인되어 있습니다. 다른 계정으로 로그인하면 그 세션은 종료됩니다.`,
    problems: {
      unavailable: {
        title: (label) => `지금은 ${label}을\u2060(를) 이용할 수 없습니다`,
        text: (label) => `${label} 로그인이 지금 응답하지 않습니다. 로그아웃된 사람은 없습니다. ${later}`,
      },
      denied: {
        title: (label) => `${label}에서 로그인하지 못했습니다`,
        text: () => '로그인이 취소되었거나, 이 계정으로는 이용할 수 없습니다.',
      },
      interaction: {
        title: (label) => `먼저 ${label}에서 확인이 필요합니다`,
        text: (label) => `${label}을\u2060(를) 열어 로그인하고 요청하는 내용에 답한 다음 다시 시도해 주세요.`,
      },
      scope: {
        title: (label) => `${label}이\u2060(가) 권한을 거부했습니다`,
        text: () => '이 사이트가 제공자가 알지 못하는 권한(scope)을 요청합니다. 이 사이트의 운영자만 바꿀 수 있습니다.',
        operator:
          '운영자에게: 제공자에서 이 scope를 정의하거나, 이 제공자의 “scopes”에서 빼 주세요. 아래 ID로 로그에 기록되어 있습니다.',
      },
      registration: {
        title: (label) => `${label}이\u2060(가) 이 사이트를 받아들이지 않습니다`,
        text: () => '제공자에 등록된 이 사이트의 정보가 올바르지 않습니다. 이 사이트의 운영자만 바꿀 수 있습니다.',
        operator:
          '운영자에게: issuer, 클라이언트 ID, 클라이언트 비밀 값, 리디렉션 URI를 확인해 주세요. 원인은 아래 ID로 로그에 있습니다.',
      },
      invalid: {
        title: () => '로그인을 마칠 수 없습니다',
        text: () =>
          '이미 사용되었거나, 너무 오래 걸렸거나, 응답이 맞지 않습니다. 아무것도 열리지 않았으니 다시 시작해 주세요.',
      },
      clock: {
        title: () => '로그인을 마칠 수 없습니다',
        text: (label) => `이 서버의 시계와 ${label}의 시계가 너무 많이 다릅니다.`,
        operator:
          '운영자에게: 시계를 맞추거나 이 제공자의 “clock_tolerance”를 늘려 주세요. 시각은 아래 ID로 로그에 있습니다.',
      },
      'not-admitted': {
        title: () => '이 계정은 여기에 들어올 수 없습니다',
        text: (label) => `${label}\u2060(으)로 로그인했지만 이 사이트에서 받지 않는 계정입니다.`,
        again: '다른 계정 사용',
      },
      withheld: {
        title: () => '이 사이트에는 소속이 보이지 않습니다',
        text: (label) =>
          `GitHub가 ${label}의 구성원인지 알려 주지 않습니다. 조직이 외부 앱이나 주소를 제한하거나 먼저 조직의 통합 로그인을 요구합니다.`,
        operator:
          '조직 소유자에게: “Third-party application access policy”에서 이 앱을 승인하고, GitHub App이라면 조직에 설치하고, IP 허용 목록이 있다면 이 서버의 주소를 추가해 주세요. 구성원: 조직의 통합 로그인에 이 앱을 허용한 다음 다시 시도해 주세요.',
      },
    },
    registrations: REGISTRATION_KO,
  },
  forwardAuth: {
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
        text: (label) => `지금 ${label}에서 응답이 없습니다. 로그아웃된 사람은 없습니다. ${later}`,
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
      store: { title: '지금은 로그인할 수 없습니다', text: () => `로그아웃된 사람은 없습니다. ${later}` },
    },
  },
  setPassword: {
    title: '비밀번호 정하기',
    forAccount: '계정',
    password: '새 비밀번호',
    repeat: '새 비밀번호 확인',
    hint: (least) => `${least}자 이상. 서로 관련 없는 낱말 몇 개를 이으면 좋은 비밀번호가 됩니다.`,
    submit: '비밀번호 저장 후 로그인',
    tooShort: (least) => `비밀번호는 ${least}자 이상이어야 합니다.`,
    tooLong: '비밀번호가 너무 깁니다. 영문 기준 최대 1,000자이며, 한글이나 기호가 있으면 더 짧아야 합니다.',
    likeName: '계정 이름과 같은 비밀번호는 쓸 수 없습니다.',
    differ: '두 비밀번호가 서로 다릅니다.',
    endsSessions: '이 계정의 다른 세션은 모두 끝납니다.',
    gone: {
      title: '더 이상 쓸 수 없는 링크입니다',
      text: '이미 사용했거나, 한 시간이 지났거나, 끝까지 복사되지 않은 링크입니다. 사이트 운영자에게 새 링크를 요청해 주세요.',
      operator: '운영자라면 다음 명령으로 만드세요:',
    },
  },
  home: {
    title: '로그인되어 있습니다',
    groups: '그룹',
    noGroups: '없음',
    moreGroups: (count) => `${count}개 더 보기`,
    until: '세션 만료',
    apps: '내 앱',
    signOut: '로그아웃',
    signOutEverywhere: '모든 기기에서 로그아웃',
    welcome: '로그인하면 이 문 뒤의 앱을 사용할 수 있습니다.',
    passwordSet: '비밀번호가 저장되었습니다.',
    signIn: '로그인',
  },
  signOut: {
    title: '로그아웃할까요?',
    text: '이 브라우저의 세션이 모든 앱에서 끝납니다.',
    here: '로그아웃',
    everywhere: '모든 기기에서 로그아웃',
    stay: '로그인 상태 유지',
    doneTitle: '로그아웃되었습니다',
    done: '이 브라우저의 세션이 모든 앱에서 끝났습니다.',
    doneEverywhere: '모든 기기의 세션이 끝났습니다.',
    signInAgain: '다시 로그인',
    stillSignedIn: { title: '아직 로그인되어 있습니다', text: '아직 아무것도 끝나지 않았습니다.' },
  },
  denied: {
    title: '접근 권한이 없습니다',
    text: (host) => `이 계정으로는 ${host}을\u2060(를) 사용할 수 없습니다.`,
    anonymous: (host) => `${host}의 규칙에 따라 이 요청은 허용되지 않습니다.`,
    sameAgain: (label) =>
      `${label}에서 같은 계정으로 돌아왔습니다. 다른 계정을 사용하려면 먼저 ${label}에서 로그아웃해 주세요.`,
    rule: '규칙',
    reason: '이유',
    unsaid: {
      name: (label) =>
        `${label}에서 이 계정의 이름을 알려 주지 않아, 사용자 이름으로 정한 규칙이 이 계정에 적용되지 않습니다.`,
      email: (label) => `${label}에서 이 계정의 이메일 주소를 알려 주지 않았거나, 확인된 주소가 없습니다.`,
      'verified-email': (label) =>
        `이 계정의 이메일 주소는 여기에서 인정되지 않습니다. ${label}에서 확인된 주소라고 알려 주지 않았거나, 이 사이트가 그 도메인에 대해서는 ${label}의 확인을 인정하지 않습니다.`,
      groups: (label) =>
        `${label}에서 이 계정의 그룹을 알려 주지 않았습니다. 속한 그룹이 없거나, 그룹을 보내도록 ${label}이\u2060(가) 설정되어 있지 않을 수 있습니다.`,
      roles: (label) =>
        `${label}에서 이 계정의 역할을 알려 주지 않았습니다. 역할이 없거나, 역할을 보내도록 ${label}이\u2060(가) 설정되어 있지 않을 수 있습니다.`,
      operator: ({ label, claims, key, provider, remedy }) =>
        `운영자에게: ${label}에서 이 계정에 대해 보낸 정보에 클레임 ${claims}이\u2060(가) 없습니다. 다른 사람에게도 없다면 ${remedy ?? `${label}에서 이 클레임을 ID 토큰이나 userinfo에 넣도록 설정하거나`}, 제공자가 쓰는 클레임 이름을 ${provider}의 ${key}에 적어 주세요.`,
      operatorEmail: (label, provider) =>
        `운영자에게: ${label}에서 이 계정에 대해 보낸 정보에 클레임 “email”이 없습니다. 다른 사람에게도 없다면 ${label}에서 이 클레임을 보내도록 설정하고, ${provider}의 “scopes”에 “email”이 있는지 확인해 주세요.`,
      operatorDomains: (label, provider, canTrust) =>
        `운영자에게: 이메일 규칙에는 ${label}에서 확인된 주소라고 알려 준 주소만 쓰이고, 그 도메인이 ${provider}의 “email_domains”에 있어야 합니다.${canTrust ? ` ${label}에서 주소를 확인하지만 그렇게 알려 주지는 않는다면(“email_verified”) “trust_email: true”를 설정해 주세요.` : ''}`,
      atProvider: {
        keycloak:
          '제공자의 클라이언트(“Client scopes”의 전용 scope)에 클레임 이름이 “groups”인 “Group Membership” 매퍼를 추가하거나',
        'entra-id': '제공자의 애플리케이션에서 “Token configuration”, “Add groups claim”을 선택하거나',
        okta: '제공자의 인증 서버에 클레임 “groups”를 추가하거나(조직 인증 서버라면 scope “groups”를 요청하거나)',
        authentik: '제공자에서 애플리케이션의 제공자에 “profile” scope 매핑을 넣거나',
      },
    },
    ask: '권한이 있어야 한다면 아래 ID를 사이트 운영자에게 알려 주세요.',
  },
  noApp: {
    title: '이 계정의 앱이 없습니다',
    text: (host) => `${host}에서는 사람마다 자기 앱으로 연결됩니다. 이 계정에 해당하는 앱이 없거나 실행 중이 아닙니다.`,
    ask: '있어야 한다면 아래 ID를 사이트 운영자에게 알려 주세요.',
  },
  loop: {
    title: '로그인이 반복되고 있습니다',
    text: '1분 안에 여러 번 로그인했지만 앱이 세션을 받지 못했습니다. 흔한 원인은 다음과 같습니다.',
    reasons: [
      '브라우저나 확장 프로그램이 앱 주소의 쿠키를 차단합니다.',
      'https가 필요한 사이트를 http로 열었습니다.',
      '이 기기 또는 서버의 시계가 맞지 않습니다.',
    ],
  },
  link: {
    title: '누군가 이 항목을 공유했습니다',
    lead: (place) => `이 링크는 ${place}을\u2060(를) 엽니다.`,
    open: '열기',
    badTitle: '이 링크로는 아무것도 열 수 없습니다',
    badText: '만료되었거나, 이미 열렸거나, 취소되었습니다. 새 링크를 요청해 주세요.',
  },
  landing: {
    title: '여기서는 로그인을 마칠 수 없습니다',
    text: '다른 브라우저에서 시작했거나, 너무 오래 걸렸거나, 브라우저가 쿠키를 차단합니다. 열린 것은 없으니 처음부터 다시 시작해 주세요.',
  },
  badTicket: {
    title: '올바르지 않은 로그인 주소입니다',
    text: '주소가 일부만 복사되었거나 다른 서버에서 만들어졌습니다. 앱을 다시 열고 거기서 로그인해 주세요.',
  },
  unlistedHost: {
    title: '이 이름으로는 로그인할 수 없습니다',
    text: '운영자가 이 이름을 등록하지 않아 로그인할 수 없습니다. 세션은 등록된 이름에만 안전하게 넘길 수 있습니다.',
  },
  refusedForm: {
    title: '양식을 받아들이지 않았습니다',
    text: '이 사이트의 페이지에서 보낸 양식이 아닙니다. 직접 보내셨다면 뒤로 가서 페이지를 새로 고친 뒤 다시 시도해 주세요.',
  },
  whoami: {
    title: '나는 누구인가',
    lead: 'Postern에 포함된 앱입니다. 이 문 뒤의 앱이 나에 대해 알게 되는 것을 보여 줍니다.',
    name: '이름',
    email: '이메일',
    provider: '로그인 제공자',
    service: '기계 계정(서비스)',
    nobody: '로그인하지 않았습니다. 이 경로는 누구나 볼 수 있습니다.',
    session: '세션',
    lastSeen: '마지막 사용',
    live: '실시간 연결',
    open: 'WebSocket이 열려 있습니다',
    closed: 'WebSocket이 닫혀 있습니다',
    say: '아무 말이나 입력하면 서버가 그대로 돌려줍니다',
    send: '보내기',
    noScript: '실시간 패널에는 JavaScript가 필요합니다. 이 페이지의 나머지는 필요하지 않습니다.',
    request: '요청',
    target: '대상',
    connection: '연결',
    address: '내 주소',
    unknown: '알 수 없음',
    headers: '앱이 받는 헤더 필드',
  },
};
