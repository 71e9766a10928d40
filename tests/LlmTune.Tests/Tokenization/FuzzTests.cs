using System.Text;
using LlmTune.Tokenization;

namespace LlmTune.Tests.Tokenization;

/// <summary>Random and extreme texts: nothing crashes or hangs, both ways of encoding agree, and what loses nothing comes back.</summary>
public sealed class FuzzTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public void Random_texts_give_the_same_ids_with_and_without_spans(int seed)
    {
        var random = new Random(seed);
        foreach (var tokenizer in All())
        {
            for (var i = 0; i < 300; i++)
            {
                var text = Tokenizers.RandomText(random, random.Next(1, 60));
                var full = tokenizer.EncodeFull(text, addSpecialTokens: false);
                Assert.Equal(tokenizer.Encode(text), full.Ids);
                Assert.All(full.Spans, span => Assert.InRange(span.Start, 0, Math.Min(span.End, text.Length)));
                Assert.All(full.Spans, span => Assert.InRange(span.End, span.Start, text.Length));
            }
        }
    }

    [Fact]
    public void Lossless_tokenizers_give_every_text_back()
    {
        var random = new Random(3);
        for (var i = 0; i < 2000; i++)
        {
            var text = Tokenizers.RandomText(random, random.Next(1, 80));
            Assert.Equal(GoldenLines.Clean(text), Tokenizers.Lossless.Decode(Tokenizers.Lossless.Encode(text)));
        }
    }

    [Fact]
    public void Spans_of_a_lossless_tokenizer_cover_the_text()
    {
        var random = new Random(4);
        for (var i = 0; i < 300; i++)
        {
            var text = Tokenizers.RandomText(random, 50);
            var full = Tokenizers.Lossless.EncodeFull(text, addSpecialTokens: false);
            var covered = 0;
            foreach (var span in full.Spans)
            {
                Assert.True(span.Start <= covered, $"a gap at {covered} before {span}");
                covered = Math.Max(covered, span.End);
            }
            Assert.Equal(text.Length, covered);
        }
    }

    [Fact]
    public void Every_character_is_encoded_and_comes_back()
    {
        for (var c = 0; c <= 0x10FFFF; c += c < 0x3000 ? 1 : 17)
        {
            if (!Rune.IsValid(c)) continue;
            var text = $"a{new Rune(c)}b";
            Assert.Equal(text, Tokenizers.Lossless.Decode(Tokenizers.Lossless.Encode(text)));
            var composed = c == 0xFFFE ? text : text.Normalize(NormalizationForm.FormC);
            Assert.Equal(composed, Tokenizers.Qwen.Decode(Tokenizers.Qwen.Encode(text)));
            if (c != 0x2581) Assert.Equal(text, Tokenizers.Llama.Decode(Tokenizers.Llama.Encode(text)));
        }
    }

    [Fact]
    public void Lone_surrogates_count_as_replacement_characters()
    {
        foreach (var text in new[] { "\uD800", "a\uDC00b", "\uDC00\uD800", "\uD83D\uDE00\uD83D" })
        {
            Assert.Equal(Tokenizers.Qwen.Encode(GoldenLines.Clean(text)), Tokenizers.Qwen.Encode(text));
            Assert.Equal(text.Length, Tokenizers.Qwen.EncodeFull(text).Spans[^1].End);
        }
    }

    [Fact]
    public void Streams_give_what_decoding_gives()
    {
        var random = new Random(5);
        foreach (var tokenizer in new[] { Tokenizers.Lossless, Tokenizers.Qwen })
        {
            for (var i = 0; i < 500; i++)
            {
                int[] ids = [.. Enumerable.Range(0, random.Next(1, 20)).Select(_ => random.Next(-2, tokenizer.VocabularySize + 2))];
                var stream = tokenizer.Stream();
                Assert.Equal(tokenizer.Decode(ids), string.Concat(ids.Select(stream.Add)) + stream.Finish());
            }
        }
    }

    /// <summary>Quadratic work would take minutes on any of these.</summary>
    [Fact]
    public void Long_runs_of_anything_are_encoded()
    {
        string[] units = ["a", " ", "中", "\n", "7", "!", "😀", "\u0301", "\u0301\u0323", "Aa1 ", " x", "<|im_start|>", "<s> ", "'s", "▁"];
        foreach (var tokenizer in All())
        {
            foreach (var unit in units)
            {
                var text = string.Concat(Enumerable.Repeat(unit, 30_000 / unit.Length));
                Assert.Equal(tokenizer.Encode(text), tokenizer.EncodeFull(text, addSpecialTokens: false).Ids);
            }
        }
    }

    [Fact]
    public void Random_bytes_are_no_tokenizer()
    {
        var random = new Random(6);
        using var folder = Tokenizers.Folder();
        for (var i = 0; i < 200; i++)
        {
            var bytes = new byte[random.Next(0, 300)];
            random.NextBytes(bytes);
            foreach (var name in new[] { "tokenizer.json", "tokenizer.model" })
            {
                var file = Path.Combine(folder.Path, name);
                File.WriteAllBytes(file, bytes);
                Assert.Contains(name, Assert.Throws<RequestException>(() => HfTokenizer.Load(file)).Message, StringComparison.Ordinal);
            }
        }
    }

    /// <summary>A damaged file is refused or read, but never crashes.</summary>
    [Fact]
    public void Files_with_a_few_bytes_changed_are_refused_or_read()
    {
        var random = new Random(7);
        using var folder = Tokenizers.Folder();
        foreach (var (source, name) in new[] { (Tokenizers.File("added-tokens", "flags-byte.json"), "tokenizer.json"), (Tokenizers.File("sentencepiece-unigram-suffix", "tokenizer.model"), "tokenizer.model") })
        {
            var original = File.ReadAllBytes(source);
            for (var i = 0; i < 150; i++)
            {
                var bytes = (byte[])original.Clone();
                for (var k = random.Next(1, 4); k > 0; k--) bytes[random.Next(bytes.Length)] = (byte)random.Next(256);
                var file = Path.Combine(folder.Path, name);
                File.WriteAllBytes(file, bytes[..random.Next(bytes.Length / 2, bytes.Length + 1)]);
                try
                {
                    HfTokenizer.Load(file).Encode("the other <s> é 中");
                }
                catch (RequestException)
                {
                }
            }
        }
    }

    private static HfTokenizer[] All() =>
    [
        Tokenizers.Lossless, Tokenizers.Qwen, Tokenizers.Llama, HfTokenizer.Load(Tokenizers.File("wordpiece", "bert-uncased.json")),
        HfTokenizer.Load(Tokenizers.File("unigram", "metaspace-first-split.json")), HfTokenizer.Load(Tokenizers.File("sentencepiece-unigram-suffix", "tokenizer.model")),
        HfTokenizer.Load(Tokenizers.File("normalizers", "nfkd.json")), HfTokenizer.Load(Tokenizers.File("normalizers", "precompiled.json")),
        HfTokenizer.Load(Tokenizers.File("pre-tokenizers", "split-o200k.json")), HfTokenizer.Load(Tokenizers.File("pre-tokenizers", "unicode-scripts.json")),
    ];
}
