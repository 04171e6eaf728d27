/** An object with other methods in place of some of its own. Everything else is the object's, whose private fields a copy would not have. */
export function withMethods<Real extends object>(real: Real, methods: Partial<Real>): Real {
  return new Proxy(real, {
    get(target, name) {
      const replaced = Reflect.get(methods, name);
      if (replaced !== undefined) return replaced;
      const value = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}
