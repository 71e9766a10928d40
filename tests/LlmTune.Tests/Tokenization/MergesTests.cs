using LlmTune.Tokenization;

namespace LlmTune.Tests.Tokenization;

public sealed class MergesTests
{
    /// <summary>By hand: (a,b) before (b,c) in <c>abc</c> gives [ab, c]; the other way round [a, bc].</summary>
    [Fact]
    public void The_lower_rank_comes_first()
    {
        Assert.Equal([3, 2], Apply([0, 1, 2], (0, 1, 3), (1, 2, 4)));
        Assert.Equal([0, 4], Apply([0, 1, 2], (1, 2, 4), (0, 1, 3)));
        Assert.Equal([1, 0], Apply([0, 0, 0], (0, 0, 1)));
    }

    /// <summary>Both ways of merging against the definition: find the lowest rank, leftmost, and join; until none is left.</summary>
    [Theory]
    [InlineData(10)]
    [InlineData(60)]
    [InlineData(70)]
    [InlineData(300)]
    public void Equals_the_definition(int length)
    {
        var random = new Random(length);
        for (var run = 0; run < 30; run++)
        {
            var pairs = new Dictionary<(int, int), int>();
            var merges = new Merges(60, 60);
            for (var rank = 0; rank < 60; rank++)
            {
                var pair = (random.Next(4 + rank), random.Next(4 + rank));
                if (!pairs.TryAdd(pair, rank)) pair = (3 + rank, 0);
                pairs[pair] = rank;
                merges.Add(pair.Item1, pair.Item2, rank, 4 + rank);
            }
            int[] ids = [.. Enumerable.Range(0, length).Select(_ => random.Next(4))];
            int[] starts = [.. Enumerable.Range(0, length)];
            var expected = ids.Select((id, i) => (Id: id, Start: i)).ToList();
            while (true)
            {
                var best = Enumerable.Range(0, expected.Count - 1).Where(i => pairs.ContainsKey((expected[i].Id, expected[i + 1].Id))).OrderBy(i => pairs[(expected[i].Id, expected[i + 1].Id)]).ThenBy(i => i);
                if (!best.Any()) break;
                var at = best.First();
                expected[at] = (4 + pairs[(expected[at].Id, expected[at + 1].Id)], expected[at].Start);
                expected.RemoveAt(at + 1);
            }
            var count = merges.Apply(ids, starts);
            Assert.Equal(expected.Select(token => token.Id), ids[..count]);
            Assert.Equal(expected.Select(token => token.Start), starts[..count]);
        }
    }

    /// <summary>Cutting a text between characters that no token joins changes nothing.</summary>
    [Fact]
    public void A_text_that_is_cut_for_speed_gives_the_same_ids()
    {
        using var json = System.Text.Json.JsonDocument.Parse(File.ReadAllText(Tokenizers.File("mini", "mini-llama2.json")));
        var model = json.RootElement.GetProperty("model");
        var ids = model.GetProperty("vocab").EnumerateObject().ToDictionary(entry => entry.Name, entry => entry.Value.GetInt32());
        var ranks = model.GetProperty("merges").EnumerateArray().Select((merge, rank) => ((merge[0].GetString()!, merge[1].GetString()!), rank)).ToDictionary();
        char[] characters = [.. ids.Keys.Where(token => token.Length == 1 && token != "▁").Select(token => token[0])];
        var random = new Random(8);
        for (var run = 0; run < 200; run++)
        {
            var text = new string([.. Enumerable.Range(0, 60).Select(_ => random.Next(3) == 0 ? ' ' : "etaoinsrhl"[random.Next(10)]), .. random.GetItems(characters, 40)]);
            var tokens = ("▁" + text.Replace(' ', '▁')).Select(c => c.ToString()).ToList();
            for (var again = true; again;)
            {
                var best = Enumerable.Range(0, tokens.Count - 1).Where(i => ranks.ContainsKey((tokens[i], tokens[i + 1]))).DefaultIfEmpty(-1).MinBy(i => i < 0 ? 0 : ranks[(tokens[i], tokens[i + 1])]);
                again = best >= 0;
                if (!again) continue;
                tokens[best] += tokens[best + 1];
                tokens.RemoveAt(best + 1);
            }
            Assert.Equal(tokens.Select(token => ids[token]), Tokenizers.Llama.Encode(text));
        }
    }

    private static int[] Apply(int[] ids, params (int Left, int Right, int Result)[] pairs)
    {
        var merges = new Merges(pairs.Length, pairs.Length);
        for (var rank = 0; rank < pairs.Length; rank++) merges.Add(pairs[rank].Left, pairs[rank].Right, rank, pairs[rank].Result);
        return ids[..merges.Apply(ids, new int[ids.Length])];
    }
}
