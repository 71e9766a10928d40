namespace LlmTune.Recipes.Quickstart;

/// <summary>The little world that tables, questions and texts are about. Every word is known to all of them, so that one tokenizer fits.</summary>
internal static class Words
{
    /// <summary>Kinds of things, many and one.</summary>
    public static readonly (string Many, string One)[] Things =
    [
        ("ships", "ship"), ("cars", "car"), ("houses", "house"), ("books", "book"), ("horses", "horse"), ("farms", "farm"),
        ("shops", "shop"), ("trains", "train"),
        ("songs", "song"), ("games", "game"), ("gardens", "garden"), ("lakes", "lake"), ("towers", "tower"), ("bikes", "bike"),
        ("dogs", "dog"), ("planes", "plane"),
        ("players", "player"), ("teams", "team"), ("schools", "school"), ("roads", "road"),
    ];

    /// <summary>What things are called.</summary>
    public static readonly string[] Names =
    [
        "Ada", "Ben", "Cleo", "Dora", "Emil", "Finn", "Greta", "Hugo", "Ida", "Jonas", "Kira", "Leo", "Mia", "Nora", "Otto", "Paula", "Quinn",
        "Rosa", "Silas", "Tilda",
        "Ulla", "Vera", "Wanda", "Zeno",
    ];

    /// <summary>Columns of words, with the words that stand in them.</summary>
    public static readonly (string Column, string[] Values)[] Texts =
    [
        ("color", ["red", "blue", "green", "white", "black", "brown", "yellow", "gray"]),
        ("city", ["Rome", "Oslo", "Paris", "Lima", "Cairo", "Bonn", "Delhi", "Quito"]),
        ("owner", ["Alma", "Boris", "Carla", "David", "Edith", "Frank", "Gina", "Henry"]),
        ("month", ["January", "March", "April", "May", "June", "July", "August", "October"]),
        ("shape", ["round", "square", "flat", "long", "wide", "narrow", "curved", "pointed"]),
        ("metal", ["iron", "gold", "silver", "copper", "steel", "tin", "zinc", "lead"]),
        ("fruit", ["apple", "pear", "plum", "lemon", "cherry", "grape", "melon", "fig"]),
        ("bird", ["owl", "crow", "swan", "duck", "eagle", "robin", "goose", "heron"]),
    ];

    /// <summary>Columns of whole numbers.</summary>
    public static readonly string[] Numbers = ["price", "width", "height", "weight", "length", "speed", "year", "size", "score", "depth"];
}
