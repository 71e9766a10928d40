using LlmTune.Tokenization;

namespace LlmTune.Tests.Tokenization;

/// <summary>Small tokenizers that tests share.</summary>
internal static class Tokenizers
{
    private static readonly Lazy<HfTokenizer> ByteLevelOne = new(Train);

    /// <summary>NFC, Qwen's pattern, bytes.</summary>
    public static HfTokenizer Qwen { get; } = HfTokenizer.Load(File("mini", "mini-qwen.json"));

    /// <summary>No pre-tokenizer, ▁ for spaces, byte fallback.</summary>
    public static HfTokenizer Llama { get; } = HfTokenizer.Load(File("mini", "mini-llama2.json"));

    /// <summary>GPT-2's pattern over bytes, without a normalizer: every text comes back.</summary>
    public static HfTokenizer Lossless => ByteLevelOne.Value;

    public static string File(string area, string name) => Path.Combine(AppContext.BaseDirectory, "golden", "tokenizers", area, name);

    /// <summary>An empty folder that goes when the test is over.</summary>
    public static TemporaryFolder Folder() => new();

    /// <summary>A text of characters of all kinds, whole pairs and lone surrogates among them.</summary>
    public static string RandomText(Random random, int length)
    {
        var text = new System.Text.StringBuilder();
        while (text.Length < length)
        {
            switch (random.Next(10))
            {
                case 0:
                    text.Append((char)random.Next(0x10000));
                    break;
                case 1:
                    text.Append(char.ConvertFromUtf32(random.Next(0x10000, 0x110000)));
                    break;
                case 2:
                    text.Append(' ', random.Next(1, 4));
                    break;
                case 3:
                    text.Append("\r\n\t\u0085\u00A0\u3000\u200D\uFFFD\uFFFE\0"[random.Next(10)]);
                    break;
                case 4:
                    text.Append((char)random.Next(0x300, 0x370));
                    break;
                case 5:
                    text.Append((char)random.Next(0x4E00, 0x9FFF));
                    break;
                case 6:
                    text.Append("0123456789½Ⅷ²٣"[random.Next(14)]);
                    break;
                case 7:
                    text.Append(" 's 'LL don't <|im_start|> <s> ▁ <0x41> "[..random.Next(40)]);
                    break;
                default:
                    text.Append((char)random.Next('!', '\x7F'));
                    break;
            }
        }
        return text.ToString();
    }

    private static HfTokenizer Train()
    {
        using var folder = Folder();
        var text = string.Concat(Enumerable.Repeat("the then there other mother 今天天气 12 123 don't don't  \n\n  if (x) { return y; }\n", 3));
        BpeTrainer.Train(BpeTrainer.Lines(text), new BpeTraining { VocabularySize = 400, SpecialTokens = ["<|end|>"] }).Save(folder.Path);
        return HfTokenizer.Load(folder.Path);
    }

    public sealed class TemporaryFolder : IDisposable
    {
        public string Path { get; } = Directory.CreateTempSubdirectory("llmtune-").FullName;

        public string Write(string name, string content)
        {
            var file = System.IO.Path.Combine(Path, name);
            System.IO.File.WriteAllText(file, content);
            return file;
        }

        public void Dispose() => Directory.Delete(Path, recursive: true);
    }
}
