import type { Command } from "commander";
import type { CliContext } from "../cli-context.ts";

const SHELLS = ["bash", "zsh", "fish"] as const;
type Shell = (typeof SHELLS)[number];

export function addCompletion(program: Command, context: CliContext): void {
  program
    .command("completion")
    .description("print a shell's completion script")
    .addArgument(program.createArgument("<shell>", SHELLS.join(", ")).choices(SHELLS))
    .addHelpText(
      "after",
      `
Examples:
  genai-cli completion bash > /etc/bash_completion.d/genai-cli
  genai-cli completion zsh > "\${fpath[1]}/_genai-cli"
  genai-cli completion fish > ~/.config/fish/completions/genai-cli.fish`,
    )
    .action((shell: Shell) => {
      context.stdout.write(scripts[shell](words(program)));
    });
}

interface Words {
  readonly global: readonly string[];
  readonly commands: ReadonlyMap<string, readonly string[]>;
}

function words(program: Command): Words {
  const flags = (command: Command) => command.options.map((option) => option.long ?? option.short ?? "");
  const commands = program.commands.map((command) => {
    const inner = command.commands.map((each) => each.name());
    return [command.name(), [...inner, ...flags(command), ...command.commands.flatMap(flags)]] as const;
  });
  return { global: [...flags(program), "--help"], commands: new Map(commands) };
}

const scripts: Readonly<Record<Shell, (words: Words) => string>> = {
  bash: ({ global, commands }) => `_genai_cli() {
  local current="\${COMP_WORDS[COMP_CWORD]}"
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W "${[...commands.keys(), ...global].join(" ")}" -- "$current"))
    return
  fi
  case "\${COMP_WORDS[1]}" in
${[...commands].map(([name, flags]) => `    ${name}) COMPREPLY=($(compgen -W "${[...flags, ...global].join(" ")}" -- "$current")) ;;`).join("\n")}
  esac
}
complete -o default -F _genai_cli genai-cli
`,
  zsh: ({ global, commands }) => `#compdef genai-cli
if (( CURRENT == 2 )); then
  compadd -- ${[...commands.keys(), ...global].join(" ")}
else
  case "\${words[2]}" in
${[...commands].map(([name, flags]) => `    ${name}) compadd -- ${[...flags, ...global].join(" ")} ;;`).join("\n")}
  esac
fi
`,
  fish: ({ global, commands }) =>
    [
      `complete -c genai-cli -n __fish_use_subcommand -f -a "${[...commands.keys()].join(" ")}"`,
      ...global.map((flag) => `complete -c genai-cli -l ${flag.replace(/^-+/, "")}`),
      ...[...commands].flatMap(([name, flags]) =>
        flags.map((word) => {
          const what = word.startsWith("-") ? `-l ${word.replace(/^-+/, "")}` : `-f -a ${word}`;
          return `complete -c genai-cli -n "__fish_seen_subcommand_from ${name}" ${what}`;
        }),
      ),
      "",
    ].join("\n"),
};
