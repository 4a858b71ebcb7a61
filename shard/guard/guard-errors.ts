/** The guard's folder has a newer format, is no guard's, or a row of it does not check. */
export class GuardDamaged extends Error {
  override readonly name = 'GuardDamaged';
}

/** A write to the guard was not carried out for certain: nothing may be released on it. */
export class GuardUnavailable extends Error {
  override readonly name = 'GuardUnavailable';
}
