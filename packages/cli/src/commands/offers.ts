import { type Command, Option } from "commander";
import type { CliContext } from "../cli-context.ts";
import { bytes, decimal, integer } from "../flag-values.ts";
import { callScaler } from "../scaler/call-scaler.ts";
import { connectScaler } from "../scaler/connect-scaler.ts";
import { type CreateFlags, offerFilter } from "../scaler/create-request.ts";
import { readSettings } from "../settings.ts";
import { table } from "../terminal/table.ts";

const HEAD = ["OFFER", "GPU", "VRAM", "PRICE/H", "RELIABILITY", "LOCATION"] as const;

export function addOffers(program: Command, context: CliContext): void {
  program
    .command("offers")
    .description("list what a platform could rent right now, cheapest first")
    .argument("[platform]", "platform to ask", "vastai")
    .option("--gpu <type>", "GPU, like 'RTX 4090'")
    .addOption(new Option("--vram <size>", "minimum GPU memory, like 24g").argParser(bytes))
    .addOption(new Option("--max-price <dollars>", "maximum price per hour").argParser(decimal))
    .addOption(new Option("--min-reliability <share>", "minimum reliability, 0 to 1").argParser(decimal))
    .addOption(new Option("--limit <number>", "number of offers to show").argParser(integer).default(20))
    .addHelpText("after", "\nExamples:\n  genai-cli offers\n  genai-cli offers vastai --gpu 'RTX 4090' --max-price 0.5")
    .action(async (platform: string, flags: CreateFlags & { limit: number }, command: Command) => {
      const settings = readSettings(command, context);
      using scaler = connectScaler(settings, context);
      const request = { platform, filter: offerFilter(flags), limit: flags.limit };
      const { offers } = await callScaler(scaler, "ListOffers", request);
      if (settings.json) {
        const numbers = offers.map((offer) => ({ ...offer, vramBytes: Number(offer.vramBytes) }));
        context.stdout.write(`${JSON.stringify(numbers)}\n`);
        return;
      }
      const rows = offers.map((offer) => [
        offer.offerId,
        `${offer.gpus} × ${offer.gpu}`,
        `${Math.round(Number(offer.vramBytes) / 1024 ** 3)} GB`,
        `$${offer.pricePerHour.toFixed(3)}`,
        `${(offer.reliability * 100).toFixed(1)} %`,
        offer.location,
      ]);
      context.stdout.write(table(HEAD, rows));
    });
}
