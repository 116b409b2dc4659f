/** English. Plain words, no blame, always a next step. */
import { FORWARD_AUTH_EN, LATER_EN as later } from './forward-auth.ts';
import { REGISTRATION_EN } from './registration.ts';
import type { Texts } from './texts.ts';

export const EN: Texts = {
  language: 'en',
  requestId: 'Request',
  tryAgain: 'Try again',
  backToApp: (host) => `Back to ${host}`,
  goHome: 'Go to the start page',
  signedInAs: 'Signed in as',
  useAnotherAccount: 'Use another account',
  seconds: (count) => {
    if (count < 60) return count === 1 ? '1 second' : `${count} seconds`;
    const minutes = Math.ceil(count / 60);
    return minutes === 1 ? '1 minute' : `${minutes} minutes`;
  },
  errors: {
    '400': { title: 'This request cannot be read', text: 'The address or the request is not valid.' },
    '401': { title: 'Credentials needed', text: 'Only a program with the right credentials is let in here.' },
    CREDENTIAL_REFUSED: {
      title: 'Credentials not accepted',
      text: 'The password or token is wrong, revoked or expired.',
    },
    '403': { title: 'No access', text: 'The rules of this site do not let this request in.' },
    '404': { title: 'Nothing here', text: 'There is no page at this address.' },
    '405': { title: 'This does not work here', text: 'The page does not take this kind of request.' },
    '408': { title: 'That took too long', text: 'The request did not arrive in time.' },
    '413': { title: 'Too large', text: 'What you sent is larger than this site accepts.' },
    '414': { title: 'Address too long', text: 'The address is longer than this site accepts.' },
    '421': {
      title: 'Not served here',
      text: 'This server does not serve that name on this connection. Check the address, or reload the page.',
    },
    '429': { title: 'Too many requests', text: 'Please wait a little before you try again.' },
    '431': {
      title: 'Request too large',
      text: 'The browser sent more header data than this site accepts. Clearing its cookies for this site can help.',
    },
    '500': { title: 'Something went wrong', text: 'A fault on our side. It has been logged with the id below.' },
    '501': { title: 'Not supported', text: 'This site does not support this kind of request.' },
    '502': {
      title: 'The app does not answer',
      text: `The app behind this address cannot be reached or gave an answer that makes no sense. ${later}`,
    },
    '503': { title: 'Not available right now', text: `This site cannot take your request at the moment. ${later}` },
    '504': { title: 'The app takes too long', text: `The app behind this address did not answer in time. ${later}` },
    NO_HOST: {
      title: 'Nothing is served at this name',
      text: 'This server has no site with this name. Check the address for a typing mistake.',
    },
    ENCODED_SLASH: {
      title: 'This address cannot be used',
      text: 'It holds an encoded slash (%2F), which this site does not pass on. Whoever runs it can allow that with “encoded_slash: keep”.',
    },
    STORE_UNAVAILABLE: { title: 'Sign-in is not available right now', text: `Nobody has been signed out. ${later}` },
    TOKEN_UNAVAILABLE: {
      title: 'Your sign-in cannot be renewed right now',
      text: `This app needs a fresh token of your sign-in service, which does not answer. You have not been signed out. ${later}`,
    },
    LOOP_DETECTED: {
      title: 'The app points back to itself',
      text: 'This request has come round in a circle. The operator needs to look at the route.',
    },
    other: { title: 'This did not work', text: 'The request could not be answered.' },
  },
  signIn: {
    title: 'Sign in',
    to: (host) => `to continue to ${host}`,
    name: 'Name',
    password: 'Password',
    submit: 'Sign in',
    continueAs: (name) => `Continue as ${name}`,
    alreadyAs: (name) => `You are signed in as ${name}. Signing in below with another account ends that session.`,
    wrong: 'Name or password is not right.',
    disabled: 'This account is disabled. Ask whoever runs this site.',
    empty: 'Enter your name and your password.',
    expired: 'This page had been open for too long. Please sign in again.',
    wait: (time) => `Too many tries. Please wait ${time} and try again.`,
    busy: 'Too many people are signing in at this moment. Please try again in a few seconds.',
    noCookies:
      'Your browser did not send back the cookie of this page. Allow cookies for this site, then sign in again.',
  },
  secondStep: {
    title: 'One more step',
    code: 'Code from your authenticator app',
    recoveryCode: 'Recovery code',
    useRecovery: 'Use a recovery code instead',
    submit: 'Continue',
    empty: 'Enter the code.',
    wrong: 'This code is not right, or was used already. Wait for the next one and check the clock of your phone.',
    wrongRecovery: 'This recovery code is not right, or was used already: each works once.',
    usePasskey: 'Use a passkey',
    passkeyFailed: 'The passkey could not be used. Try again, or choose another way.',
    passkeyWrong: 'This passkey was not accepted. Try again, or choose another way.',
    signInWithPasskey: 'Sign in with a passkey',
    noPasskey: 'Your passkey cannot be used in this browser: it needs JavaScript, and a browser that knows passkeys.',
  },
  security: {
    title: 'Sign-in and security',
    open: 'Sign-in and security',
    neededFor: (host) => `${host} asks for a second factor. Set one up to go on.`,
    none: 'No second factor is set up: whoever has your password has your account.',
    add: 'Add a second factor',
    addTotp: 'Add an authenticator app',
    addPasskey: 'Add a passkey',
    totp: 'Authenticator app',
    passkey: 'Passkey',
    lastUsed: 'last used:',
    never: 'never',
    remove: 'Remove',
    removeNamed: (name) => `Remove ${name}`,
    recovery: 'Recovery codes',
    recoveryLeft: (count) => `Codes left: ${count}. Each works once, when nothing else is at hand.`,
    newRecovery: 'Make new codes',
    keep: 'Keep these codes where you would find them without your phone. Each works once. They are not shown again, and older ones are void.',
    kept: 'I have kept them',
    recoveryUsed: 'You signed in with a recovery code, which is used up now. Check your second factors.',
    scan: 'Scan this code with your authenticator app, then enter the six digits that it shows.',
    qrLabel: 'QR code for the authenticator app',
    typeInstead: 'Or type this key into the app:',
    nameLabel: 'Name (optional)',
    passkeyName: 'Name of the passkey (optional)',
    confirm: 'Confirm',
    confirmFirst: 'You signed in a while ago. Please confirm that it is you.',
    back: 'Back',
    foreign: (provider) => `You sign in through "${provider}". Passwords and second factors are looked after there.`,
    providerNeeded: (provider) => ({
      title: 'A second factor is needed',
      text: `"${provider}" did not say that you signed in with one. Turn on two-step sign-in there, then sign in again.`,
    }),
    proofNeeded: (provider) => ({
      title: 'This page asks for more than your sign-in shows',
      text: `"${provider}" did not say that you signed in recently, or strongly, enough. Sign out there and sign in again; if that does not help, whoever runs this site has to look at it.`,
    }),
  },
  provider: {
    with: (label) => `Continue with ${label}`,
    local: 'a local account',
    others: 'Other ways to sign in',
    alreadyAs: (name) => `You are signed in as ${name}. Signing in with another account ends that session.`,
    problems: {
      unavailable: {
        title: (label) => `${label} is not available right now`,
        text: (label) => `Sign-in by ${label} does not answer at the moment. Nobody has been signed out. ${later}`,
      },
      denied: {
        title: (label) => `${label} did not sign you in`,
        text: () => 'The sign-in was cancelled, or this account may not use it.',
      },
      interaction: {
        title: (label) => `${label} needs something from you first`,
        text: (label) => `Open ${label}, sign in there and answer what it asks for, then try again.`,
      },
      scope: {
        title: (label) => `${label} refused a permission`,
        text: () =>
          'This site asks for a permission (scope) that the provider does not know. Only whoever runs this site can change that.',
        operator:
          'For whoever runs this site: define the scope at the provider, or leave it out of "scopes" of this provider. The log names it under the id below.',
      },
      registration: {
        title: (label) => `${label} does not accept this site`,
        text: () =>
          'The registration of this site with the provider is not right. Only whoever runs this site can change that.',
        operator:
          'For whoever runs this site: check the issuer, the client id, the client secret and the redirect URI. The log has the cause under the id below.',
      },
      invalid: {
        title: () => 'This sign-in could not be finished',
        text: () =>
          'It was used already, took too long, or its answer does not fit. Nothing was opened; just start again.',
      },
      clock: {
        title: () => 'This sign-in could not be finished',
        text: (label) => `The clock of this server and the one of ${label} are too far apart.`,
        operator:
          'For whoever runs this site: set the clocks, or raise "clock_tolerance" of this provider. The log has the times under the id below.',
      },
      'not-admitted': {
        title: () => 'This account is not let in here',
        text: (label) => `You signed in with ${label}, but with an account that this site does not accept.`,
        again: 'Use another account',
      },
      withheld: {
        title: () => 'Your membership is not shown to this site',
        text: (label) =>
          `GitHub does not say whether you are in ${label}: the organisation restricts third-party apps or addresses, or wants its own single sign-on first.`,
        operator:
          'For an owner of the organisation: approve this app under "Third-party application access policy", install it if it is a GitHub App, and where there is an IP allow list, add the address of this server. Members: authorise the app for the organisation\'s single sign-on, then try again.',
      },
    },
    registrations: REGISTRATION_EN,
  },
  forwardAuth: FORWARD_AUTH_EN,
  setPassword: {
    title: 'Choose a password',
    forAccount: 'For the account',
    password: 'New password',
    repeat: 'New password, once more',
    hint: (least) => `At least ${least} characters. A few unrelated words make a good one.`,
    submit: 'Set password and sign in',
    tooShort: (least) => `The password needs at least ${least} characters.`,
    tooLong: 'The password is too long: 1,000 characters are the most, fewer with accents or signs.',
    likeName: 'The password must not be the account name.',
    differ: 'The two passwords are not the same.',
    endsSessions: 'All other sessions of this account end.',
    gone: {
      title: 'This link no longer works',
      text: 'It was used already, is older than an hour, or was not copied completely. Ask whoever runs this site for a new one.',
      operator: 'If that is you:',
    },
  },
  home: {
    title: 'You are signed in',
    groups: 'Groups',
    noGroups: 'none',
    moreGroups: (count) => `${count} more`,
    until: 'Session until',
    apps: 'Your apps',
    signOut: 'Sign out',
    signOutEverywhere: 'Sign out on all devices',
    welcome: 'Sign in to reach the apps behind this door.',
    passwordSet: 'Your password is set.',
    signIn: 'Sign in',
  },
  signOut: {
    title: 'Sign out?',
    text: 'This ends your session in this browser, for all apps.',
    here: 'Sign out',
    everywhere: 'Sign out on all devices',
    stay: 'Stay signed in',
    doneTitle: 'You are signed out',
    done: 'Your session in this browser has ended, for all apps.',
    doneEverywhere: 'Your sessions on all devices have ended.',
    signInAgain: 'Sign in again',
    stillSignedIn: { title: 'You are still signed in', text: 'Nothing has been ended yet.' },
  },
  denied: {
    title: 'No access',
    text: (host) => `This account may not use ${host}.`,
    anonymous: (host) => `The rules of ${host} do not let this request in.`,
    sameAgain: (label) =>
      `${label} brought you back with the same account. To use another one, sign out at ${label} first.`,
    rule: 'Rule',
    reason: 'Reason',
    unsaid: {
      name: (label) => `${label} did not say the name of this account, so no rule about a user can match it.`,
      email: (label) => `${label} gave no e-mail address of this account, or none that is verified.`,
      'verified-email': (label) =>
        `The e-mail address of this account does not count here: ${label} did not say that it is verified, or is not trusted for its domain.`,
      groups: (label) =>
        `${label} named no groups of this account: it may be in none, or ${label} may not be set up to say them.`,
      roles: (label) =>
        `${label} named no roles of this account: it may have none, or ${label} may not be set up to say them.`,
      operator: ({ label, claims, key, provider, remedy }) =>
        `For whoever runs this site: nothing that ${label} said of this account has the claim ${claims}. If others lack it too, ${remedy ?? `have ${label} put it into its ID token or userinfo`}, or name the claim that it uses by ${key} of ${provider}.`,
      operatorEmail: (label, provider) =>
        `For whoever runs this site: nothing that ${label} said of this account has the claim “email”. If others lack it too, have ${label} send it, and see that “scopes” of ${provider} hold “email”.`,
      operatorDomains: (label, provider, canTrust) =>
        `For whoever runs this site: e-mail rules count addresses that ${label} says are verified, of the domains that “email_domains” of ${provider} lists.${canTrust ? ` Where ${label} verifies addresses and does not say so (“email_verified”), set “trust_email: true”.` : ''}`,
      atProvider: {
        keycloak:
          'add a mapper “Group Membership” with the claim name “groups” to the client there (“Client scopes”, its dedicated scope)',
        'entra-id': 'choose “Token configuration”, “Add groups claim” of the application there',
        okta: 'add a claim “groups” to the authorization server there, or ask for the scope “groups” of the org one',
        authentik: 'give the provider of the application there the scope mapping for “profile”',
      },
    },
    ask: 'If it should, tell whoever runs this site the id below.',
  },
  noApp: {
    title: 'No app of yours here',
    text: (host) =>
      `${host} leads each person to an app of their own. There is none for this account, or it is not running.`,
    ask: 'If there should be one, tell whoever runs this site the id below.',
  },
  loop: {
    title: 'Signing in goes round in circles',
    text: 'You were signed in several times within a minute, but the app never saw the session. Usual reasons:',
    reasons: [
      'The browser, or an extension, blocks cookies of the app’s address.',
      'The address was opened with http where the site needs https.',
      'The clock of this device or of the server is wrong.',
    ],
  },
  link: {
    title: 'Somebody shared this with you',
    lead: (place) => `This link opens ${place}.`,
    open: 'Open',
    badTitle: 'This link does not open anything',
    badText: 'It has expired, was opened before, or was taken back. Ask for a new one.',
  },
  landing: {
    title: 'This sign-in cannot be finished here',
    text: 'It was started in another browser, took too long, or the browser blocks cookies. Nothing was opened; just start again.',
  },
  badTicket: {
    title: 'This sign-in address is not valid',
    text: 'It is incomplete, or was made by another server. Open the app again and sign in from there.',
  },
  unlistedHost: {
    title: 'No sign-in for this name',
    text: 'The operator has not listed this name, so nobody can sign in to it. Only listed names are safe to hand a session to.',
  },
  refusedForm: {
    title: 'This form was not accepted',
    text: 'It did not come from a page of this site. If you sent it yourself, go back, reload the page and try again.',
  },
  whoami: {
    title: 'Who am I',
    lead: 'This is the app that comes with Postern. It shows what an app behind this door gets to know about you.',
    name: 'Name',
    email: 'E-mail',
    provider: 'Provider',
    service: 'A machine, as service',
    nobody: 'Nobody is signed in. This route is open to everyone.',
    session: 'Session',
    lastSeen: 'Last used',
    live: 'Live connection',
    open: 'WebSocket is open',
    closed: 'WebSocket is closed',
    say: 'Say something; the server says it back',
    send: 'Send',
    noScript: 'The live panel needs JavaScript; everything else on this page does not.',
    request: 'Request',
    target: 'Target',
    connection: 'Connection',
    address: 'Your address',
    unknown: 'unknown',
    headers: 'Header fields that an app receives',
  },
};
