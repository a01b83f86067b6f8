import type { Storage as GraphiQLStorage } from '@graphiql/toolkit';

const PREFIX = 'graphiql:';
/** Preferences of the person. Everything else is what was typed, and that may be a password in a variable. */
const PREFERENCE = /^graphiql:(theme|visiblePlugin|.*Flex)$/;

const placeOf = (key: string): Storage => (PREFERENCE.test(key) ? localStorage : sessionStorage);

const ownKeys = (place: Storage): string[] => Object.keys(place).filter((key) => key.startsWith(PREFIX));

/** Keeps preferences for good, and tabs and history only as long as the browser's tab is open. */
export const storage: GraphiQLStorage = {
  getItem: (key) => placeOf(key).getItem(key),
  setItem: (key, value) => placeOf(key).setItem(key, value),
  removeItem: (key) => placeOf(key).removeItem(key),
  clear() {
    for (const place of [localStorage, sessionStorage]) {
      for (const key of ownKeys(place)) place.removeItem(key);
    }
  },
  get length() {
    return ownKeys(localStorage).length + ownKeys(sessionStorage).length;
  },
};
