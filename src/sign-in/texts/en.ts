/** English. Plain words, no blame, always a next step. */
import type { Texts } from './texts.ts';

const later = 'Please try again in a moment.';

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
    STORE_UNAVAILABLE: { title: 'Sign-in is not available right now', text: `Nobody has been signed out. ${later}` },
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
  setPassword: {
    title: 'Choose a password',
    forAccount: 'For the account',
    password: 'New password',
    repeat: 'New password, once more',
    hint: (least) => `At least ${least} characters. A few unrelated words make a good one.`,
    submit: 'Set password and sign in',
    tooShort: (least) => `The password needs at least ${least} characters.`,
    tooLong: 'The password is too long. Take at most 1,000 characters.',
    likeName: 'The password must not be the account name.',
    differ: 'The two passwords are not the same.',
    endsSessions: 'All other sessions of this account end.',
    gone: {
      title: 'This link no longer works',
      text: 'It was used already, is older than an hour, or was not copied completely. Ask whoever runs this site for a new one, or create it with: postern user link NAME',
    },
  },
  home: {
    title: 'You are signed in',
    groups: 'Groups',
    noGroups: 'none',
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
    ask: 'If it should, tell whoever runs this site the id below.',
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
};
