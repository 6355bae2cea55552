/** Fills a configuration template: `${name}` and `$name` as Python's string.Template has them, and `$$` for `$`. */
import { ConfigError } from "../errors.ts";
import { didYouMean } from "../suggest.ts";

const PLACEHOLDER = /\$(?:\$|\{([^}\n]*)\}|([A-Za-z_][A-Za-z0-9_]*))?/g;
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/**
 * Strict: what is not known is an error. A value is not looked through again.
 *
 * @param file - the template's, for errors
 * @throws ConfigError CONFIG_TEMPLATE with file and line
 */
export function fillTemplate(template: string, variables: Readonly<Record<string, string>>, file: string): string {
  return template.replace(
    PLACEHOLDER,
    (text: string, braced: string | undefined, bare: string | undefined, at: number) => {
      if (text === "$$") return "$";
      const place = { file, line: template.slice(0, at).split("\n").length };
      const name = braced ?? bare;
      if (name === undefined || !NAME.test(name)) {
        const message = `"${text}" is neither \${name} nor $$ (which stands for one $)`;
        throw new ConfigError("CONFIG_TEMPLATE", message, place);
      }
      if (Object.hasOwn(variables, name)) return variables[name]!;
      const known = Object.keys(variables);
      const message = `nobody has said what \${${name}} is${didYouMean(name, known)}; give it as ${name}=VALUE (known: ${known.join(", ")})`;
      throw new ConfigError("CONFIG_TEMPLATE", message, place);
    },
  );
}
