using LlmTune.Tokenization;

namespace LlmTune.Tests.Tokenization;

public sealed class BpeTrainerTests
{
    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>
    /// ab 3×, abc 2×, bc 2×: (a,b) 5, (b,c) 4. After ab: (ab,c) 2, (b,c) 2; both count 2, and b (1) comes before ab (3).
    /// </summary>
    [Fact]
    public void Merges_are_those_worked_out_by_hand()
    {
        var trained = BpeTrainer.Train(["ab ab ab abc abc bc bc"], new BpeTraining { Pattern = TrainingPattern.Words, VocabularySize = 6 }, cancel: Cancel);
        Assert.Equal(["a", "b", "c", "ab", "bc", "abc"], trained.Tokens);
        Assert.Equal([("a", "b"), ("b", "c"), ("ab", "c")], trained.Merges);
    }

    [Fact]
    public void The_number_of_threads_changes_nothing()
    {
        string[] texts = [.. Enumerable.Range(0, 4000).Select(i => Tokenizers.RandomText(new Random(i), 300))];
        var training = new BpeTraining { Pattern = TrainingPattern.Cl100k, VocabularySize = 500, ComposeUnicode = true };
        var one = BpeTrainer.Train(texts, training, threads: 1, cancel: Cancel);
        var several = BpeTrainer.Train(texts.Reverse(), training, threads: 3, cancel: Cancel);
        Assert.Equal(one.Tokens, several.Tokens);
        Assert.Equal(one.Merges, several.Merges);
    }

    [Fact]
    public void The_folder_is_a_tokenizer()
    {
        using var folder = Tokenizers.Folder();
        string[] special = ["<|end|>", "<|pad|>"];
        var trained = BpeTrainer.Train(["the other mother ", "日本"], new BpeTraining { VocabularySize = 270, SpecialTokens = special, Pattern = TrainingPattern.Qwen2 }, cancel: Cancel);
        trained.Save(folder.Path, new Dictionary<string, string> { ["eos_token"] = "<|end|>", ["pad_token"] = "<|pad|>" });
        var tokenizer = HfTokenizer.Load(folder.Path);
        Assert.Equal((0, 1, 270), (tokenizer.EosId, tokenizer.PadId, tokenizer.VocabularySize));
        Assert.Equal("mother日<|end|>", tokenizer.Decode(tokenizer.Encode("mother日<|end|>")));
        Assert.Equal(0, tokenizer.Encode("mother日<|end|>")[^1]);
        Assert.Equal(
            "the bos_token <s> is not in the vocabulary; name it among the special tokens",
            Assert.Throws<RequestException>(() => trained.Save(folder.Path, new Dictionary<string, string> { ["bos_token"] = "<s>" })).Message);
    }

    [Fact]
    public void Progress_reaches_the_end()
    {
        var seen = new List<TrainingProgress>();
        BpeTrainer.Train(["abab abab abab"], new BpeTraining { VocabularySize = 258 }, new Collect(seen), cancel: Cancel);
        Assert.Equal(new TrainingProgress("merging", 258, 258), seen[^1]);
        Assert.Contains(new TrainingProgress("reading", 14, 0), seen);
    }

    [Fact]
    public void Lines_keep_their_ends() => Assert.Equal(["a\n", "\n", "b"], BpeTrainer.Lines("a\n\nb"));

    private sealed class Collect(List<TrainingProgress> seen) : IProgress<TrainingProgress>
    {
        public void Report(TrainingProgress value) => seen.Add(value);
    }
}
